import type { ComponentChildren } from 'preact';
import type { Message } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import type { MessagePlace } from '../../chat/notifications.ts';
import type { Entry } from '../../store/entries.ts';
import type { Context } from '../context.ts';
import { offerDays, shownOn } from './offer-days.ts';

type Code = typeof import('./prefs.tsx');

const KEY = 'offer';

/**
 * The offer of notifications under a sent message, for users who have neither mails nor push. It ends when the user
 * responds, or after three days on which it was shown.
 */
export class Offering implements Follower {
  readonly #context: Context;
  readonly #load: (task: (code: Code) => void) => void;
  /** Whether this page has checked if there is something to offer. */
  #asked = false;
  /** The message that the offer appears under. */
  #under: (MessagePlace & { draw(): ComponentChildren }) | undefined;

  /** @param load - loads the code when there is something to offer */
  constructor(context: Context, load: (task: (code: Code) => void) => void) {
    this.#context = context;
    this.#load = load;
  }

  message({ room, seq, user, editedAt, deletedAt }: Message): void {
    const { chat } = this.#context;
    const isNew = editedAt === undefined && deletedAt === undefined;
    if (user.id !== chat.me?.id || !isNew || seq !== chat.rooms.get(room)?.summary.lastSeq) return;
    if (this.#asked || !(chat.can.mail || chat.can.push)) return;
    const days = shownOn(
      new Date(chat.clock.now).toLocaleDateString('sv'),
      chat.settings.get(KEY, offerDays),
    );
    if (days === undefined) return;
    this.#asked = true;
    chat.request('notify:get', {}).then(
      (notices) =>
        this.#load(({ offer }) => {
          const draw = offer(this.#context, notices, this.#end);
          if (draw === undefined || chat.me?.id !== user.id) return;
          chat.settings.set(KEY, days);
          this.#under = { room, seq, draw };
          this.#context.changed();
        }),
      () => {
        this.#asked = false;
      },
    );
  }

  /** Removes the offer when the session ends. */
  silent(): void {
    if (this.#context.chat.me === undefined) this.#under = undefined;
  }

  /** Renders the offer if it belongs under one of these messages. */
  draw(entries: readonly Entry[]): ComponentChildren {
    const under = this.#under;
    const isThere = ({ message }: Entry) => message?.seq === under?.seq && message?.room === under?.room;
    return under !== undefined && entries.some(isThere) ? under.draw() : undefined;
  }

  readonly #end = () => {
    const { chat, draw } = this.#context;
    this.#under = undefined;
    chat.settings.set(KEY, { days: [], over: true });
    draw();
  };
}
