package io.github.phpsessionchat;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The criteria of {@link Chat#search}. Set a text or at least one filter besides the room. Messages must match all
 * criteria.
 */
public final class Search {
  @Nullable String text;
  @Nullable String room;
  @Nullable String from;
  Message.@Nullable Content has;
  @Nullable Long sentFrom;
  @Nullable Long sentBefore;

  /** Creates a search without criteria. */
  public Search() {}

  /**
   * Sets the text to search for.
   *
   * @param text 1 to 100 characters, found anywhere in a message
   * @return this search
   */
  public Search text(String text) {
    this.text = Objects.requireNonNull(text, "text");
    return this;
  }

  /**
   * Limits the search to a room.
   *
   * @param room the room ID
   * @return this search
   */
  public Search room(String room) {
    this.room = Objects.requireNonNull(room, "room");
    return this;
  }

  /**
   * Limits the search to an author.
   *
   * @param user the author's ID
   * @return this search
   */
  public Search from(String user) {
    from = Objects.requireNonNull(user, "user");
    return this;
  }

  /**
   * Limits the search to messages with pictures, files or links.
   *
   * @param content the kind of content
   * @return this search
   */
  public Search has(Message.Content content) {
    has = Objects.requireNonNull(content, "content");
    return this;
  }

  /**
   * Excludes messages sent before a time. Convert dates by the user's time zone.
   *
   * @param time milliseconds since 1970
   * @return this search
   */
  public Search sentFrom(long time) {
    sentFrom = time;
    return this;
  }

  /**
   * Excludes messages sent at a time or later.
   *
   * @param time milliseconds since 1970
   * @return this search
   */
  public Search sentBefore(long time) {
    sentBefore = time;
    return this;
  }
}
