package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/**
 * The result of a request: one of the two methods is called, once, on the executor of the {@link Chat}.
 *
 * @param <T> what the server answers
 */
public interface Callback<T extends @Nullable Object> {
  /** @param answer what the server says; null where it says nothing */
  void done(T answer);

  /** @param error why it was not carried out */
  default void failed(ChatError error) {}
}
