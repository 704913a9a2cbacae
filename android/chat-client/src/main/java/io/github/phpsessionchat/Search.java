package io.github.phpsessionchat;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The messages to search for: {@link Chat#search}. A search needs a text or one of the filters besides the room; each
 * further one narrows it down.
 */
public final class Search {
  @Nullable String text;
  @Nullable String room;
  @Nullable String from;
  Message.@Nullable Content has;
  @Nullable Long sentFrom;
  @Nullable Long sentBefore;

  /**
   * @param text 1 to 100 characters, found anywhere in a message
   * @return this search
   */
  public Search text(String text) {
    this.text = Objects.requireNonNull(text, "text");
    return this;
  }

  /**
   * @param room the id of the only room to search in
   * @return this search
   */
  public Search room(String room) {
    this.room = Objects.requireNonNull(room, "room");
    return this;
  }

  /**
   * @param user the id of the author
   * @return this search
   */
  public Search from(String user) {
    from = Objects.requireNonNull(user, "user");
    return this;
  }

  /**
   * @param content which each message has
   * @return this search
   */
  public Search has(Message.Content content) {
    has = Objects.requireNonNull(content, "content");
    return this;
  }

  /**
   * Leaves out messages that were sent before this time. An app turns a date into it by the user's time zone.
   *
   * @param time milliseconds since 1970
   * @return this search
   */
  public Search sentFrom(long time) {
    sentFrom = time;
    return this;
  }

  /**
   * Leaves out messages that were sent at this time or later.
   *
   * @param time milliseconds since 1970
   * @return this search
   */
  public Search sentBefore(long time) {
    sentBefore = time;
    return this;
  }
}
