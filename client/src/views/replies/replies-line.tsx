import type { Thread } from '../../../../server/wire/events.ts';
import type { Context } from '../context.ts';
import { Avatar } from '../people/avatar.tsx';

/** The line under the root of a thread. It shows the latest authors, and the number of replies and of new ones. */
export function repliesLine(thread: Thread, open: boolean, context: Context, seq: number) {
  const { strings, chat } = context;
  const { replies, authors, new: fresh, lastAt } = thread;
  const { current } = chat;
  return (
    <div class="replies">
      <button
        type="button"
        tabIndex={-1}
        aria-expanded={open}
        onClick={({ currentTarget }) =>
          current !== undefined && context.showReplies(current, thread.thread, currentTarget)
        }
        data-seq={seq}
      >
        <span class="faces" aria-hidden="true">
          {authors.toReversed().map((user) => (
            <Avatar key={user.id} user={user} />
          ))}
        </span>
        {strings.count('replies.count', replies)}
        {/* The number of all replies comes up to a second later. */}
        {fresh !== undefined && (
          <span class="fresh">{strings.text('replies.new', { n: Math.min(fresh, replies) })}</span>
        )}
        {lastAt !== undefined && <small>{strings.time(lastAt)}</small>}
      </button>
    </div>
  );
}
