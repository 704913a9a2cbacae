import type { EventPayload, Scheduled } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { newId } from '../../chat/outbox.ts';
import { RequestError } from '../../connection/connection-state.ts';
import type { Room } from '../../store/room.ts';
import type { Strings } from '../../strings/strings.ts';
import { blank, cleaned, codePoints } from '../../text/paste.ts';
import type { Context, Draft } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { openMenu } from '../controls/menu.tsx';
import { refusal } from '../refusal.ts';
import { nearWhen, presets, when } from './times.ts';

const laterByContext = new WeakMap<Context, Later>();

/** Returns the scheduled messages of an element; undefined before `startLater`. */
export const laterOf = (context: Context): Later | undefined => laterByContext.get(context);

export function startLater(context: Context): Later {
  const later = new Later(context);
  laterByContext.set(context, later);
  return later;
}

/** Schedules the text of a composer, and knows the user's scheduled messages. */
class Later implements Follower {
  readonly #context: Context;
  #list: readonly Scheduled[] = [];
  /** A change arrived while the list was loading. */
  #outdated = false;

  constructor(context: Context) {
    this.#context = context;
    if (context.chat.connection.state.kind === 'ready') this.ready();
  }

  ready(): void {
    const { chat, changed } = this.#context;
    if (chat.isGuest) return;
    this.#outdated = true;
    void chat.tasks.once('scheduled messages', async (current) => {
      while (this.#outdated) {
        this.#outdated = false;
        const { scheduled } = await chat.request('scheduled:list', {});
        if (!current()) return;
        this.#list = scheduled;
        changed();
      }
    });
  }

  scheduled({ is }: EventPayload<'scheduled:changed'>): void {
    const { strings, toast, dialog } = this.#context;
    this.ready();
    if (is === 'failed')
      toast(strings.text('later.failed'), 'bad', {
        label: 'common.show',
        run: () => dialog({ kind: 'scheduled' }),
      });
  }

  /** The room may have been deleted, with its scheduled messages. */
  removed(): void {
    this.ready();
  }

  /** Forgets the messages when the session ends. */
  silent(): void {
    if (this.#context.chat.me === undefined) this.#list = [];
  }

  /** The line above the field of a room with scheduled messages. */
  line(room: Room) {
    const { strings, dialog } = this.#context;
    const own = this.#list.filter((one) => one.room === room.id);
    if (own.length === 0) return null;
    return (
      <div class="context" key="later">
        <Icon name="clock" size="s" />
        <div>
          {strings.text('later.list')} · {strings.number(own.length)}
        </div>
        <button type="button" class="link" onClick={() => dialog({ kind: 'scheduled' })}>
          {strings.text('common.show')}
        </button>
      </div>
    );
  }

  /**
   * The button before the send button, if there is a text to send. A right-click or a long press on the send button
   * opens the same menu.
   */
  button(draft: Draft) {
    const { chat, strings, tray } = this.#context;
    const { edit, text } = draft;
    // Files may still be uploading.
    const hasFiles = tray(draft)?.full === true;
    const isSendable = !blank(text) && codePoints(text) <= chat.limits.text;
    if (chat.isGuest || edit !== undefined || hasFiles || !isSendable) return null;
    return (
      <button
        key="later"
        type="button"
        class="icon later"
        aria-label={strings.text('later.title')}
        aria-haspopup="menu"
        aria-expanded="false"
        ref={(button) => {
          const send = button?.parentElement?.querySelector('.send');
          if (!button || !(send instanceof HTMLElement)) return;
          send.oncontextmenu = (event) => {
            if (!button.isConnected) return;
            event.preventDefault();
            button.click();
          };
        }}
        onClick={({ currentTarget }) => this.#menu(draft, currentTarget)}
      >
        <Icon name="clock" />
      </button>
    );
  }

  #menu(draft: Draft, opener: HTMLElement): void {
    const { chat, strings, dialog, toast, touch } = this.#context;
    const label = strings.text('later.title');
    // A repetition has the same ID, so the message is not scheduled twice.
    const clientId = newId();
    const schedule = (at: number) => this.#schedule(draft, clientId, at);
    openMenu(this.#context, opener, {
      label,
      about: touch() && (
        <div class="about" role="presentation">
          <span>{label}</span>
        </div>
      ),
      items: [
        ...presets(chat.list.now).map((at) => ({
          picture: 'clock' as const,
          label: nearWhen(at, chat.list.now, strings),
          run: () => void schedule(at).catch((error) => toast(laterRefusal(error, strings), 'bad')),
        })),
        {
          picture: 'edit',
          label: strings.text('later.choose'),
          run: () => dialog({ kind: 'later', schedule }),
        },
        {
          picture: 'list',
          label: strings.text('later.list'),
          apart: true,
          run: () => dialog({ kind: 'scheduled' }),
        },
      ],
    });
  }

  /** Schedules the draft, and clears its field. */
  async #schedule(draft: Draft, clientId: string, at: number): Promise<void> {
    const { chat, strings, toast } = this.#context;
    const { room, replyTo, bare } = draft;
    const text = cleaned(draft.text);
    const mentions = this.#context.mentions(draft, text);
    await chat.request('scheduled:add', {
      room: room.id,
      at,
      text,
      clientId,
      ...(replyTo === undefined ? {} : { replyTo }),
      ...(mentions === undefined ? {} : { mentions: [...mentions] }),
      ...(bare ? { preview: false } : {}),
    });
    draft.sent(draft.text);
    toast(strings.text('later.done', { when: when(at, strings) }), 'good');
  }
}

/** Returns the text that explains why a message could not be scheduled, changed or sent. */
export function laterRefusal(error: unknown, strings: Strings): string {
  const code = error instanceof RequestError ? error.code : undefined;
  if (code === 'limit_reached') return strings.text('later.full');
  if (code === 'muted') return strings.text('composer.mutedForGood');
  return refusal(error, strings);
}
