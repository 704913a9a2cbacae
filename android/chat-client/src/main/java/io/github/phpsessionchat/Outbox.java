package io.github.phpsessionchat;

import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where messages are kept until the server has acknowledged them. All methods are called on the chat's own thread, never
 * on the app's executor; one outbox belongs to one {@link Chat}. An outbox keeps
 * what {@link PendingMessage#toJson} gives. A {@code RuntimeException} (SQLite on Android throws
 * such) counts as the {@code IOException} that is named here; what failed is tried again, but for {@link #put}.
 */
public interface Outbox {
  /**
   * @param user a user id
   * @return what is kept for that user, in any order
   * @throws IOException nothing can be read
   */
  List<PendingMessage> load(String user) throws IOException;

  /**
   * Keeps a message, in place of one with the same {@code clientId}. When it returns, the message is kept.
   *
   * @param user a user id
   * @param message of that user
   * @throws IOException there is no room for it
   */
  void put(String user, PendingMessage message) throws IOException;

  /**
   * Forgets a message, if it is kept.
   *
   * @param user a user id
   * @param clientId of the message
   * @throws IOException it is still kept
   */
  void remove(String user, String clientId) throws IOException;

  /**
   * Forgets what is kept for all other users: whoever comes next to this device must not find it.
   *
   * @param user a user id; null: everything is forgotten
   * @throws IOException some of it is still kept
   */
  void keepOnly(@Nullable String user) throws IOException;
}
