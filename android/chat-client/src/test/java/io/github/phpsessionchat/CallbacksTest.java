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
  private final List<String> told = new ArrayList<>();

  @Test
  void aSlowAppIsToldTheLastStateOnce() {
    callbacks.tellNewest("rooms", () -> told.add("one"));
    callbacks.tellNewest("rooms", () -> told.add("two"));
    run();
    callbacks.tellNewest("rooms", () -> told.add("three"));
    run();
    assertEquals(Arrays.asList("two", "three"), told);
  }

  @Test
  void nothingOfAUserIsToldAfterTheUserIsForgotten() {
    callbacks.tellNewest("rooms", () -> told.add("rooms of alice"));
    callbacks.tellOfUser(() -> told.add("message for alice"));
    callbacks.forget();
    callbacks.tell(() -> told.add("hide"));
    run();
    assertEquals(Arrays.asList("hide"), told);
  }

  @Test
  void nothingOfTheNextUserIsToldBeforeTheEndOfTheLast() {
    callbacks.tellNewest("rooms", () -> told.add("rooms of alice"));
    callbacks.forget();
    callbacks.tell(() -> told.add("hide"));
    callbacks.tellNewest("rooms", () -> told.add("rooms of bob"));
    run();
    assertEquals(Arrays.asList("hide", "rooms of bob"), told);
  }

  private void run() {
    for (Runnable next = executor.poll(); next != null; next = executor.poll()) next.run();
  }
}
