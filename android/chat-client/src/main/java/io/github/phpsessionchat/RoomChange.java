package io.github.phpsessionchat;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Changes to a room. Properties that are not set here stay unchanged. */
public final class RoomChange {
  @Nullable String name;
  @Nullable String topic;
  RoomSummary.@Nullable Write write;
  @Nullable Integer slow;
  @Nullable String color;
  @Nullable String emoji;
  @Nullable String picture;
  @Nullable String previews;
  @Nullable String seen;

  /** Creates a change that changes nothing yet. */
  public RoomChange() {}

  /**
   * Sets the name.
   *
   * @param name 1 to 80 characters
   * @return this change
   */
  public RoomChange name(String name) {
    this.name = Objects.requireNonNull(name, "name");
    return this;
  }

  /**
   * Sets the topic.
   *
   * @param topic up to 250 characters; empty: none
   * @return this change
   */
  public RoomChange topic(String topic) {
    this.topic = Objects.requireNonNull(topic, "topic");
    return this;
  }

  /**
   * Sets who can write.
   *
   * @param write the users who can write
   * @return this change
   */
  public RoomChange write(RoomSummary.Write write) {
    this.write = Objects.requireNonNull(write, "write");
    return this;
  }

  /**
   * Sets the minimum interval between two messages of a user who is not a moderator.
   *
   * @param seconds 0 to 3,600; 0: none
   * @return this change
   */
  public RoomChange slow(int seconds) {
    slow = seconds;
    return this;
  }

  /**
   * Turns link previews for new messages on or off.
   *
   * @param on whether links get previews
   * @return this change
   */
  public RoomChange previews(boolean on) {
    previews = on ? "on" : "off";
    return this;
  }

  /**
   * Turns read receipts on or off.
   *
   * @param on whether authors get read receipts
   * @return this change
   */
  public RoomChange seen(boolean on) {
    seen = on ? "on" : "off";
    return this;
  }

  /**
   * Sets the colour of the room's icon.
   *
   * @param color the colour; null: each app chooses one
   * @return this change
   */
  public RoomChange color(RoomSummary.@Nullable Color color) {
    this.color = color == null ? "" : Wire.name(color);
    return this;
  }

  /**
   * Sets the emoji of the room's icon.
   *
   * @param emoji one emoji; empty: none
   * @return this change
   */
  public RoomChange emoji(String emoji) {
    this.emoji = Objects.requireNonNull(emoji, "emoji");
    return this;
  }

  /**
   * Sets the picture of the room's icon.
   *
   * @param file the {@link Upload#file} of a {@link NewFile#asRoomPicture} in this room; null: none
   * @return this change
   */
  public RoomChange picture(@Nullable ChatFile file) {
    picture = file == null ? "" : file.id;
    return this;
  }
}
