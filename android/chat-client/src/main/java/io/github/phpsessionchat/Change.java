package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The content of an event about one message: its new state, or the reactions that have changed. */
abstract class Change {
  /** Users of one reaction that a message names. */
  private static final int NAMED = 10;

  final long seq;
  final long rev;

  private Change(long seq, long rev) {
    this.seq = seq;
    this.rev = rev;
  }

  /** The message after it, as the user {@code me} sees it; as it is, if it knows of it. */
  final Message after(Message known, String me) {
    return known.rev >= rev ? known : next(known, me);
  }

  abstract Message next(Message known, String me);

  /** The whole message, or null. */
  abstract @Nullable Message whole();

  /** {@code message:new} and {@code message:changed} alike. */
  static Change to(Message message) {
    return new Change(message.seq, message.rev) {
      /** An event does not say what is one's own: that is known where all are named, and else from before. */
      @Override
      Message next(Message known, String me) {
        List<Reaction> reactions = new ArrayList<>();
        for (Reaction now : message.reactions) {
          boolean mine = now.users.contains(me);
          for (Reaction before : known.reactions) {
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

  /** An emoji of {@code message:reacted}. */
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

    private Reaction after(@Nullable Reaction known, String me) {
      List<String> users = known == null ? new ArrayList<>() : new ArrayList<>(known.users);
      // Where some are not named, nobody knows who would be next.
      if (known == null || known.count == known.users.size()) users.addAll(added);
      users.removeAll(removed);
      while (users.size() > NAMED) users.remove(NAMED);
      boolean mine = added.contains(me) || (known != null && known.mine && !removed.contains(me));
      return new Reaction(emoji, count, Collections.unmodifiableList(users), mine);
    }
  }

  /** {@code message:reacted}. */
  static Change reactions(long seq, long rev, List<Reacted> changes) {
    return new Change(seq, rev) {
      @Override
      Message next(Message known, String me) {
        Map<String, Reaction> list = new LinkedHashMap<>();
        for (Reaction reaction : known.reactions) list.put(reaction.emoji, reaction);
        for (Reacted one : changes) {
          if (one.count == 0) list.remove(one.emoji);
          else list.put(one.emoji, one.after(list.get(one.emoji), me));
        }
        return known.with(new ArrayList<>(list.values()), rev);
      }

      @Override
      @Nullable Message whole() {
        return null;
      }
    };
  }
}
