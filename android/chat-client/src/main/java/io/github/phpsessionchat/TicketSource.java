package io.github.phpsessionchat;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Gets tickets from the site, such as with {@link TicketUrl}. */
public interface TicketSource {
  /**
   * Returns a new ticket. Called on a background thread, before connecting and before the current ticket ends. It may
   * block, with a timeout of a few seconds. The thread is interrupted if the ticket is no longer needed.
   *
   * @return a ticket of the logged-in user; null: no user is logged in
   * @throws IOException if the site does not respond; the client tries again
   */
  @Nullable String fetch() throws IOException;
}
