package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A room for {@link Chat#createRoom}. Reuse the same object after a failure: the room is created only once. */
public final class NewRoom {
  final String clientId = Chat.newClientId();
  final String name;
  final RoomSummary.Kind kind;
  final List<String> members;
  @Nullable String topic;

  private NewRoom(String name, RoomSummary.Kind kind, List<String> members) {
    this.name = Objects.requireNonNull(name, "name");
    this.kind = kind;
    this.members = members;
  }

  /**
   * Creates a public room.
   *
   * @param name 1 to 80 characters, unique among public rooms
   * @return the room
   */
  public static NewRoom publicRoom(String name) {
    return new NewRoom(name, RoomSummary.Kind.PUBLIC, Collections.<String>emptyList());
  }

  /**
   * Creates a private room.
   *
   * @param name 1 to 80 characters
   * @param members IDs of up to 100 other users
   * @return the room
   */
  public static NewRoom privateRoom(String name, List<String> members) {
    return new NewRoom(name, RoomSummary.Kind.PRIVATE, new ArrayList<>(Objects.requireNonNull(members, "members")));
  }

  /**
   * Sets the topic.
   *
   * @param topic up to 250 characters
   * @return this room
   */
  public NewRoom topic(String topic) {
    this.topic = topic;
    return this;
  }
}
