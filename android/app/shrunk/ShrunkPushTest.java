package io.github.phpsessionchat.app.server;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;

import android.Manifest;
import android.app.Application;
import android.app.Notification;
import android.app.NotificationManager;
import android.app.Service;
import android.app.job.JobParameters;
import android.app.job.JobService;
import android.os.Looper;
import android.service.notification.StatusBarNotification;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.FutureTask;
import org.junit.Test;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;
import org.robolectric.shadow.api.Shadow;
import org.robolectric.shadows.ShadowJobService;

/** Gets pushes as Firebase delivers them, while the process stays in memory. The other side writes the messages. */
public class ShrunkPushTest extends ShrunkTest {
  private static final int ROUNDS = 10;

  private final Application app = RuntimeEnvironment.getApplication();
  private final String room = System.getProperty("chat.room");
  private Service pushes;

  @Test
  public void showsPushesFromMemoryAndDuringOutages() throws Exception {
    Shadows.shadowOf(app).grantPermissions(Manifest.permission.POST_NOTIFICATIONS);
    setCookie();
    pushes = Robolectric.setupService(named("io.github.phpsessionchat.app.Pushes", Service.class));
    for (int round = 1; round <= ROUNDS; round++) {
      System.out.println("the app waits for message " + round + ".");
      awaitFile("shrunk-message-" + round);
      push(2 * round - 1);
      assertEquals("Message " + round, shownText());

      System.out.println("the app waits for outage " + round + ".");
      awaitFile("shrunk-outage-" + round);
      push(2 * round);
      assertEquals("New message", shownText());
      System.out.println("the app shows push " + round + " without its message.");
      ShadowJobService job = runJob();
      assertFalse(job.getIsRescheduleNeeded());
      assertEquals("Late message " + round, shownText());
    }
  }

  private void push(int seq) throws Exception {
    Map<String, String> data = new HashMap<>();
    data.put("room", room);
    data.put("seq", "" + seq);
    data.put("unread", "" + seq);
    Class<?> type = Class.forName("com.google.firebase.messaging.RemoteMessage");
    Object message = type.getConstructor(Map.class).newInstance(Collections.unmodifiableMap(data));
    Method receive = pushes.getClass().getMethod("onMessageReceived", type);
    // Firebase calls it on a thread of its own, where it waits for the main thread.
    FutureTask<Object> call = new FutureTask<>(() -> receive.invoke(pushes, message));
    new Thread(call).start();
    while (!call.isDone()) runMainThread();
    call.get();
  }

  private ShadowJobService runJob() throws Exception {
    Class<? extends JobService> type = named("io.github.phpsessionchat.android.ChatNotifications$PushJob", JobService.class);
    JobService job = Robolectric.buildService(type).create().get();
    job.onStartJob(Shadow.newInstanceOf(JobParameters.class));
    ShadowJobService shadow = Shadows.shadowOf(job);
    long end = System.nanoTime() + TIMEOUT_MS * 1_000_000;
    while (!shadow.getIsJobFinished() && System.nanoTime() < end) runMainThread();
    return shadow;
  }

  private String shownText() {
    StatusBarNotification[] shown = app.getSystemService(NotificationManager.class).getActiveNotifications();
    assertEquals(1, shown.length);
    return shown[0].getNotification().extras.getString(Notification.EXTRA_TEXT);
  }

  private void awaitFile(String name) throws InterruptedException {
    Path file = Paths.get(System.getProperty("chat.files"), name);
    long end = System.nanoTime() + TIMEOUT_MS * 1_000_000;
    while (!Files.exists(file)) {
      if (System.nanoTime() > end) throw new AssertionError("no file " + name);
      runMainThread();
    }
  }

  private static void runMainThread() throws InterruptedException {
    Shadows.shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(5));
    Thread.sleep(5);
  }
}
