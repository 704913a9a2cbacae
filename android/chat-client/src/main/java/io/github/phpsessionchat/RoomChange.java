package io.github.phpsessionchat;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The changes to a room; anything else stays. */
public final class RoomChange {
  @Nullable String name;
  @Nullable String topic;
  RoomSummary.@Nullable Write write;
  @Nullable Integer slow;
  @Nullable String previews;
  @Nullable String seen;

  /**
   * @param name 1 to 80 characters
   * @return this change
   */
  public RoomChange name(String name) {
    this.name = Objects.requireNonNull(name, "name");
    return this;
  }

  /**
   * @param topic up to 250 characters; empty: none
   * @return this change
   */
  public RoomChange topic(String topic) {
    this.topic = Objects.requireNonNull(topic, "topic");
    return this;
  }

  /**
   * @param write who may write
   * @return this change
   */
  public RoomChange write(RoomSummary.Write write) {
    this.write = Objects.requireNonNull(write, "write");
    return this;
  }

  /**
   * @param seconds between two messages of one user, but for moderators: up to 3,600; 0: none
   * @return this change
   */
  public RoomChange slow(int seconds) {
    slow = seconds;
    return this;
  }

  /**
   * @param on whether links of new messages have previews
   * @return this change
   */
  public RoomChange previews(boolean on) {
    previews = on ? "on" : "off";
    return this;
  }

  /**
   * @param on whether authors learn who has seen a message
   * @return this change
   */
  public RoomChange seen(boolean on) {
    seen = on ? "on" : "off";
    return this;
  }
}
