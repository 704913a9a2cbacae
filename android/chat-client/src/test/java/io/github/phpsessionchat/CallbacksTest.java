package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.Test;

class CallbacksTest {
  private final Queue<Runnable> executor = new ArrayDeque<>();
  private final Callbacks callbacks = new Callbacks(executor::add);
  private final List<String> calls = new ArrayList<>();

  @Test
  void slowAppGetsOnlyTheLatestState() {
    callbacks.postLatest("rooms", () -> calls.add("one"));
    callbacks.postLatest("rooms", () -> calls.add("two"));
    run();
    callbacks.postLatest("rooms", () -> calls.add("three"));
    run();
    assertEquals(Arrays.asList("two", "three"), calls);
  }

  @Test
  void forgetDropsCallbacksOfTheUser() {
    callbacks.postLatest("rooms", () -> calls.add("rooms of alice"));
    callbacks.postForUser(() -> calls.add("message for alice"));
    callbacks.forget();
    callbacks.post(() -> calls.add("hide"));
    run();
    assertEquals(Arrays.asList("hide"), calls);
  }

  @Test
  void callbacksOfTheNextUserRunAfterHide() {
    callbacks.postLatest("rooms", () -> calls.add("rooms of alice"));
    callbacks.forget();
    callbacks.post(() -> calls.add("hide"));
    callbacks.postLatest("rooms", () -> calls.add("rooms of bob"));
    run();
    assertEquals(Arrays.asList("hide", "rooms of bob"), calls);
  }

  private void run() {
    for (Runnable next = executor.poll(); next != null; next = executor.poll()) next.run();
  }
}
