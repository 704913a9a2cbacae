package io.github.phpsessionchat.app.server;

import android.os.Bundle;
import android.os.Parcel;
import java.nio.file.Files;
import org.junit.Test;

/** Restores the activity of {@link ShrunkAppTest} in a new process. */
public class ShrunkRestoreTest extends ShrunkTest {
  @Test
  public void showsTheConversationAndWhatTheUserWasWriting() throws Exception {
    byte[] bytes = Files.readAllBytes(stateFile());
    Parcel parcel = Parcel.obtain();
    parcel.unmarshall(bytes, 0, bytes.length);
    parcel.setDataPosition(0);
    Bundle state = parcel.readBundle(getClass().getClassLoader());
    start(state);
    await(node -> is(node.getText(), "Hello again from the browser"));
    await(node -> node.isEditable() && is(node.getText(), "Not sent yet"));
  }
}
