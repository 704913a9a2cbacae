package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A room to be created. The same object once more is the same room, so a request that failed can be repeated. */
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
   * @param name 1 to 80 characters, which no other public room has
   * @return a room for everybody
   */
  public static NewRoom publicRoom(String name) {
    return new NewRoom(name, RoomSummary.Kind.PUBLIC, Collections.<String>emptyList());
  }

  /**
   * @param name 1 to 80 characters
   * @param members ids of up to 100 users beside oneself
   * @return a room for its members
   */
  public static NewRoom privateRoom(String name, List<String> members) {
    return new NewRoom(name, RoomSummary.Kind.PRIVATE, new ArrayList<>(Objects.requireNonNull(members, "members")));
  }

  /**
   * @param topic up to 250 characters
   * @return this room
   */
  public NewRoom topic(String topic) {
    this.topic = topic;
    return this;
  }
}
