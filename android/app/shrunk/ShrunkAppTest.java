package io.github.phpsessionchat.app.server;

import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import android.os.Bundle;
import android.os.Parcel;
import java.nio.file.Files;
import org.junit.Test;

/** Exchanges messages, and saves the state of the activity for {@link ShrunkRestoreTest}. */
public class ShrunkAppTest extends ShrunkTest {
  /** The test would prove nothing if it ran with the complete classes. */
  @Test
  public void runsTheClassesOfR8() {
    assertTrue(getClass().getResource("/io/github/phpsessionchat/app/MainActivity.class").getPath().contains("shrunk.jar!"));
    // The app does not use it.
    assertThrows(ClassNotFoundException.class, () -> Class.forName("io.github.phpsessionchat.TicketUrl"));
  }

  @Test
  public void showsRoomsAndExchangesMessages() throws Exception {
    start(null);
    click(node -> is(node.getText(), "lobby"));
    await(node -> is(node.getText(), "Hello from the browser"));
    write("Hello from the shrunk app");
    click(node -> is(node.getContentDescription(), "Send"));
    await(node -> !node.isEditable() && is(node.getText(), "Hello from the shrunk app"));
    System.out.println("the app sent a message");
    await(node -> is(node.getText(), "Hello again from the browser"));
    write("Not sent yet");

    Bundle state = new Bundle();
    controller.pause().stop().saveInstanceState(state);
    // Android keeps these bytes when it ends the process.
    Parcel parcel = Parcel.obtain();
    parcel.writeBundle(state);
    Files.write(stateFile(), parcel.marshall());
  }
}
