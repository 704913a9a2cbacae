package io.github.phpsessionchat;

/** A PHP session id that the app has from elsewhere, such as a web view. */
public interface SessionId {
  /**
   * Asked before each attempt to connect, on the chat's own thread, and so with the id that is there then.
   *
   * @return the session id, decoded; empty: there is none
   */
  String current();
}
