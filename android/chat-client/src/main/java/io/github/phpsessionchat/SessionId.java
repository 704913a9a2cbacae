package io.github.phpsessionchat;

/** Provides a PHP session ID that the app gets elsewhere, such as from a web view. */
public interface SessionId {
  /**
   * Returns the current ID. Called on the chat's thread before each connection attempt and upload, and by
   * {@link Chat#fileRequest} and {@link Chat#previewRequest} on their caller's thread.
   *
   * @return the decoded session ID; empty: none
   */
  String current();
}
