package io.github.phpsessionchat.app.server;

import static org.junit.Assert.assertTrue;

import android.accessibilityservice.AccessibilityServiceInfo;
import android.app.Activity;
import android.content.ContentProvider;
import android.content.Context;
import android.content.ContextWrapper;
import android.content.res.Resources;
import android.graphics.Rect;
import android.os.Bundle;
import android.os.Looper;
import android.view.View;
import android.view.ViewGroup;
import android.view.accessibility.AccessibilityManager;
import android.view.accessibility.AccessibilityNodeInfo;
import android.view.accessibility.AccessibilityNodeProvider;
import android.webkit.CookieManager;
import io.github.phpsessionchat.app.ChatApplication;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Predicate;
import org.junit.runner.RunWith;
import org.junit.runners.model.FrameworkMethod;
import org.junit.runners.model.InitializationError;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.internal.bytecode.InstrumentationConfiguration;
import org.robolectric.shadows.ShadowAccessibilityManager;
import org.robolectric.util.ReflectionHelpers;

/**
 * Uses the app as R8 has shrunk it, with the server of the test in `test/android-app`. It reads the screen like a
 * screen reader, because R8 removed everything from Compose, Kotlin and the app that only tests would call.
 */
@RunWith(ShrunkTest.Runner.class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = 35, application = ShrunkTest.TestApplication.class, qualifiers = "w360dp-h740dp-port-notnight-xhdpi")
public abstract class ShrunkTest {
  protected static final long TIMEOUT_MS = 60_000;

  /** Compose numbers its elements, also those that screen readers do not see. */
  private static final int MAX_GAP = 500;

  /** Replaces the server's address, which the app reads from its resources. */
  public static final class TestApplication extends ChatApplication {
    @Override
    protected void attachBaseContext(Context base) {
      Resources resources = base.getResources();
      Resources replaced = new Resources(resources.getAssets(), resources.getDisplayMetrics(), resources.getConfiguration()) {
        @Override
        public CharSequence getText(int id) {
          return getResourceEntryName(id).equals("chat_url") ? System.getProperty("chat.server") : super.getText(id);
        }
      };
      super.attachBaseContext(new ContextWrapper(base) {
        @Override
        public Resources getResources() {
          return replaced;
        }
      });
    }
  }

  /**
   * Loads kotlin.* with the same class loader as all other classes. Otherwise R8's optimized code of kotlin.* would not
   * find them.
   */
  public static final class Runner extends RobolectricTestRunner {
    public Runner(Class<?> test) throws InitializationError {
      super(test);
    }

    @Override
    protected InstrumentationConfiguration createClassLoaderConfig(FrameworkMethod method) {
      return new WithKotlin(super.createClassLoaderConfig(method));
    }
  }

  private static final class WithKotlin extends InstrumentationConfiguration {
    WithKotlin(InstrumentationConfiguration from) {
      super(
          read(from, "classNameTranslations"),
          read(from, "interceptedMethods"),
          read(from, "instrumentedPackages"),
          read(from, "instrumentedClasses"),
          read(from, "classesToNotAcquire"),
          read(from, "packagesToNotAcquire"),
          read(from, "classesToNotInstrument"),
          read(from, "packagesToNotInstrument"),
          read(from, "classesToNotInstrumentRegex"));
    }

    private static <T> T read(InstrumentationConfiguration from, String field) {
      return ReflectionHelpers.getField(from, field);
    }

    @Override
    public boolean shouldAcquire(String name) {
      return name.startsWith("kotlin.") || super.shouldAcquire(name);
    }
  }

  protected ActivityController<? extends Activity> controller;
  private int lastNode;

  /** Starts the app with the user's login. @param state the saved state of an activity; null: none */
  protected void start(Bundle state) throws Exception {
    setCookie();
    // Android does this itself. It lets the app know when it is visible.
    Robolectric.buildContentProvider(named("androidx.startup.InitializationProvider", ContentProvider.class)).create();
    // Compose updates the texts for screen readers only while a screen reader is on.
    ShadowAccessibilityManager readers = Shadows.shadowOf(RuntimeEnvironment.getApplication().getSystemService(AccessibilityManager.class));
    readers.setEnabled(true);
    readers.setEnabledAccessibilityServiceList(Collections.singletonList(new AccessibilityServiceInfo()));
    controller = Robolectric.buildActivity(named("io.github.phpsessionchat.app.MainActivity", Activity.class));
    if (state == null) controller.setup();
    else controller.setup(state);
  }

  /** As the site's login page does. */
  protected static void setCookie() {
    CookieManager.getInstance().setCookie(System.getProperty("chat.server"), System.getProperty("chat.cookie"));
  }

  protected void write(String text) throws InterruptedException {
    Bundle argument = new Bundle();
    argument.putCharSequence(AccessibilityNodeInfo.ACTION_ARGUMENT_SET_TEXT_CHARSEQUENCE, text);
    perform(await(AccessibilityNodeInfo::isEditable), AccessibilityNodeInfo.ACTION_SET_TEXT, argument);
    await(node -> node.isEditable() && is(node.getText(), text));
  }

  /** The file in which an activity's saved state outlives the process. */
  protected static Path stateFile() {
    return Paths.get(System.getProperty("chat.files"), "activity-state");
  }

  protected static <T> Class<? extends T> named(String name, Class<T> type) throws ClassNotFoundException {
    return Class.forName(name).asSubclass(type);
  }

  protected static boolean is(CharSequence actual, String expected) {
    return actual != null && actual.toString().equals(expected);
  }

  /** Returns the ID of the first element that meets a condition. */
  protected int await(Predicate<AccessibilityNodeInfo> condition) throws InterruptedException {
    long end = System.nanoTime() + TIMEOUT_MS * 1_000_000;
    while (true) {
      Shadows.shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(100));
      Map<Integer, AccessibilityNodeInfo> nodes = nodes();
      for (Map.Entry<Integer, AccessibilityNodeInfo> node : nodes.entrySet()) if (condition.test(node.getValue())) return node.getKey();
      if (System.nanoTime() > end) throw new AssertionError("not found in " + nodes.values());
      Thread.sleep(20);
    }
  }

  /** Clicks the smallest element around the one that is found. */
  protected void click(Predicate<AccessibilityNodeInfo> condition) throws InterruptedException {
    int found = await(condition);
    Map<Integer, AccessibilityNodeInfo> nodes = nodes();
    int target = found;
    for (Map.Entry<Integer, AccessibilityNodeInfo> node : nodes.entrySet()) {
      Rect bounds = bounds(node.getValue());
      boolean isAround = node.getValue().isClickable() && bounds.contains(bounds(nodes.get(found)));
      if (isAround && (target == found || bounds(nodes.get(target)).contains(bounds))) target = node.getKey();
    }
    perform(target, AccessibilityNodeInfo.ACTION_CLICK, null);
  }

  private static Rect bounds(AccessibilityNodeInfo node) {
    Rect bounds = new Rect();
    node.getBoundsInScreen(bounds);
    return bounds;
  }

  private void perform(int node, int action, Bundle arguments) {
    assertTrue(provider(controller.get().getWindow().getDecorView()).performAction(node, action, arguments));
  }

  /** Returns all elements of the screen with their IDs. Robolectric does not return the IDs of children. */
  private Map<Integer, AccessibilityNodeInfo> nodes() {
    AccessibilityNodeProvider provider = provider(controller.get().getWindow().getDecorView());
    Map<Integer, AccessibilityNodeInfo> nodes = new LinkedHashMap<>();
    for (int id = 0; id < lastNode + MAX_GAP; id++) {
      AccessibilityNodeInfo node = provider.createAccessibilityNodeInfo(id);
      if (node == null) continue;
      nodes.put(id, node);
      lastNode = Math.max(id, lastNode);
    }
    return nodes;
  }

  /** Returns what Compose offers to screen readers. */
  private static AccessibilityNodeProvider provider(View view) {
    AccessibilityNodeProvider own = view.getAccessibilityNodeProvider();
    if (own != null || !(view instanceof ViewGroup)) return own;
    ViewGroup group = (ViewGroup) view;
    for (int i = 0; i < group.getChildCount(); i++) {
      AccessibilityNodeProvider child = provider(group.getChildAt(i));
      if (child != null) return child;
    }
    return null;
  }
}
