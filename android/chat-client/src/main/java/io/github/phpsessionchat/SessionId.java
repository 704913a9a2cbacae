package io.github.phpsessionchat;

/** A PHP session id that the app has from elsewhere, such as a web view. */
public interface SessionId {
  /**
   * Asked before each attempt to connect or to upload a file, on the chat's own thread, and so with the id that is there
   * then; and by {@link Chat#fileRequest} and {@link Chat#previewRequest}, on the thread that calls them.
   *
   * @return the session id, decoded; empty: there is none
   */
  String current();
}
