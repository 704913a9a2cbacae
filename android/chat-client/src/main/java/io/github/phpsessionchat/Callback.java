package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/**
 * The result of a request. Exactly one of the two methods is called, once, on the executor of the {@link Chat}.
 *
 * @param <T> the type of the response
 */
public interface Callback<T extends @Nullable Object> {
  /**
   * Called when the server accepts the request.
   *
   * @param answer the response; null if it has no content
   */
  void done(T answer);

  /**
   * Called when the request fails. Does nothing by default.
   *
   * @param error the reason
   */
  default void failed(ChatError error) {}
}
