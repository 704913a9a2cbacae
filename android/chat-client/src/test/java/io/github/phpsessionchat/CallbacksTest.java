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
    callbacks.tellNewest("rooms", () -> calls.add("one"));
    callbacks.tellNewest("rooms", () -> calls.add("two"));
    run();
    callbacks.tellNewest("rooms", () -> calls.add("three"));
    run();
    assertEquals(Arrays.asList("two", "three"), calls);
  }

  @Test
  void forgetDropsCallbacksOfTheUser() {
    callbacks.tellNewest("rooms", () -> calls.add("rooms of alice"));
    callbacks.tellOfUser(() -> calls.add("message for alice"));
    callbacks.forget();
    callbacks.tell(() -> calls.add("hide"));
    run();
    assertEquals(Arrays.asList("hide"), calls);
  }

  @Test
  void callbacksOfTheNextUserRunAfterHide() {
    callbacks.tellNewest("rooms", () -> calls.add("rooms of alice"));
    callbacks.forget();
    callbacks.tell(() -> calls.add("hide"));
    callbacks.tellNewest("rooms", () -> calls.add("rooms of bob"));
    run();
    assertEquals(Arrays.asList("hide", "rooms of bob"), calls);
  }

  private void run() {
    for (Runnable next = executor.poll(); next != null; next = executor.poll()) next.run();
  }
}
