package io.github.phpsessionchat;

import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Stores messages until the server has acknowledged them. Each {@link Chat} needs its own outbox. Store the result of
 * {@link UnsentMessage#toJson}. All methods are called on the chat's thread. A {@code RuntimeException}, as thrown by
 * SQLite on Android, is handled like an {@code IOException}. The client repeats failed calls, except {@link #put}.
 */
public interface Outbox {
  /**
   * Reads the messages of a user.
   *
   * @param user the user ID
   * @return the messages, in any order
   * @throws IOException if they cannot be read
   */
  List<UnsentMessage> load(String user) throws IOException;

  /**
   * Stores a message and replaces one with the same {@code clientId}. The message must be stored when this returns.
   *
   * @param user the user ID
   * @param message a message of that user
   * @throws IOException if the message cannot be stored
   */
  void put(String user, UnsentMessage message) throws IOException;

  /**
   * Removes a message. Does nothing if it is not stored.
   *
   * @param user the user ID
   * @param clientId the message
   * @throws IOException if the message could not be removed
   */
  void remove(String user, String clientId) throws IOException;

  /**
   * Removes the messages of all other users, because the next user of the device must not find them.
   *
   * @param user the user ID; null: removes all messages
   * @throws IOException if a message could not be removed
   */
  void keepOnly(@Nullable String user) throws IOException;
}
