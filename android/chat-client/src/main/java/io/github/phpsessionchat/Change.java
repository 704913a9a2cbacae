package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** An event with the new state or the changed reactions of a message. */
abstract class Change {
  /** Maximum number of users listed for a reaction. */
  private static final int MAX_USERS = 10;

  final long seq;
  final long rev;

  private Change(long seq, long rev) {
    this.seq = seq;
    this.rev = rev;
  }

  /**
   * Returns the message after the change, as the user {@code me} sees it. Returns {@code previous} if it is as new as
   * the change.
   */
  final Message after(Message previous, String me) {
    return previous.rev >= rev ? previous : next(previous, me);
  }

  abstract Message next(Message previous, String me);

  /** The complete message, or null. */
  abstract @Nullable Message whole();

  /** A {@code message:new} or {@code message:changed} event. */
  static Change to(Message message) {
    return new Change(message.seq, message.rev) {
      /**
       * Events do not mark the user's own reactions. If all users are listed, this is known from the list, otherwise
       * from the previous state.
       */
      @Override
      Message next(Message previous, String me) {
        List<Reaction> reactions = new ArrayList<>();
        for (Reaction now : message.reactions) {
          boolean mine = now.users.contains(me);
          for (Reaction before : previous.reactions) {
            mine |= before.mine && before.emoji.equals(now.emoji) && now.count > now.users.size();
          }
          reactions.add(new Reaction(now.emoji, now.count, now.users, mine));
        }
        return message.with(reactions, rev);
      }

      @Override
      Message whole() {
        return message;
      }
    };
  }

  /** A changed reaction in {@code message:reacted}. */
  static final class Reacted {
    final String emoji;
    final int count;
    final List<String> added;
    final List<String> removed;

    Reacted(String emoji, int count, List<String> added, List<String> removed) {
      this.emoji = emoji;
      this.count = count;
      this.added = added;
      this.removed = removed;
    }

    private Reaction after(@Nullable Reaction previous, String me) {
      List<String> users = previous == null ? new ArrayList<>() : new ArrayList<>(previous.users);
      // If some users are not listed, the next one in order is unknown.
      if (previous == null || previous.count == previous.users.size()) users.addAll(added);
      users.removeAll(removed);
      while (users.size() > MAX_USERS) users.remove(MAX_USERS);
      boolean mine = added.contains(me) || (previous != null && previous.mine && !removed.contains(me));
      return new Reaction(emoji, count, Collections.unmodifiableList(users), mine);
    }
  }

  /** A {@code message:reacted} event. */
  static Change reactions(long seq, long rev, List<Reacted> changes) {
    return new Change(seq, rev) {
      @Override
      Message next(Message previous, String me) {
        Map<String, Reaction> list = new LinkedHashMap<>();
        for (Reaction reaction : previous.reactions) list.put(reaction.emoji, reaction);
        for (Reacted one : changes) {
          if (one.count == 0) list.remove(one.emoji);
          else list.put(one.emoji, one.after(list.get(one.emoji), me));
        }
        return previous.with(new ArrayList<>(list.values()), rev);
      }

      @Override
      @Nullable Message whole() {
        return null;
      }
    };
  }
}
