import { Component, createRef } from 'preact';
import type { Message, Pin, PinChange } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { number } from '../../chat/form.ts';
import { preview, type Room } from '../../store/room.ts';
import type { Note } from '../../store/timeline-blocks.ts';
import type { Context } from '../context.ts';
import { Icon, IconButton } from '../controls/icon.tsx';
import type { Speaker } from '../speaker.tsx';
import { PinnedList } from './pinned-list.tsx';
import { pinnedWords } from './pinning.ts';
import { hiddenPin, pinsPlace } from './pins-place.tsx';

/** Maximum number of marks at the start of the bar. */
const MARKS = 4;

/** The pinned messages of the joined rooms, and the bar above the timeline that shows them. */
export class PinnedMessages implements Follower {
  readonly #context: Context;
  readonly #speaker: Speaker;
  /** The pinned message that the bar of a room shows; absent for the newest one. */
  readonly #shown = new WeakMap<Room, number>();
  /** The room whose list is open. */
  #open: Room | undefined;
  #opener: HTMLElement | undefined;

  constructor(context: Context, speaker: Speaker) {
    this.#context = context;
    this.#speaker = speaker;
    for (const room of context.chat.rooms.values()) if (room.joined) this.joined(room);
  }

  joined(room: Room): void {
    const { chat, changed } = this.#context;
    if (room.summary.pins === undefined) {
      room.pins = [];
      return changed();
    }
    void chat.tasks.once(`pins ${room.id}`, async (current) => {
      const { pins } = await chat.request('room:pins', { room: room.id });
      if (!current()) return;
      room.pins = pins;
      changed();
    });
  }

  pinned(room: Room, { seq, pin, count }: PinChange): void {
    const isNew = pin !== undefined && !room.pins.some((known) => known.seq === seq);
    room.pin(seq, pin);
    if (isNew) this.#shown.delete(room);
    if (isNew && pin.by.id !== this.#context.chat.me?.id && room === this.#context.chat.current)
      this.#speaker.say(this.#context.strings.text('say.pinned', { name: pin.by.name }));
    // An event was missed.
    if (room.pins.length !== count) this.joined(room);
  }

  message(message: Message): void {
    const room = this.#context.chat.rooms.get(message.room);
    const pin = room?.pins.find(({ seq }) => seq === message.seq);
    if (pin === undefined) return;
    const { by, at, after } = pin;
    room?.pin(message.seq, { ...preview(message), by, at, after });
  }

  /** The lines about pinned messages, oldest first. */
  notes({ pins }: Room): Note[] {
    const { chat, strings } = this.#context;
    return pins.toReversed().map(({ seq, by, after }) => ({
      after,
      line: (
        <p class="note sys" key={`pin ${seq}`}>
          <Icon name="pin" size="s" />
          <span>
            {by.id === chat.me?.id
              ? strings.text('pin.lineYou')
              : strings.text('pin.line', { name: strings.name(by) })}
          </span>
        </p>
      ),
    }));
  }

  /** The bar above the timeline. */
  bar(room: Room) {
    const { pins } = room;
    const [newest] = pins;
    // The bar of a question is there already.
    if (newest === undefined) return room.summary.question ? undefined : pinsPlace(this.#context, room);
    const hiddenAt = this.#context.chat.store?.get(hiddenPin(room), number);
    if (pins.length === 1 && hiddenAt === newest.at) return undefined;
    const at = Math.max(
      0,
      pins.findIndex(({ seq }) => seq === this.#shown.get(room)),
    );
    const pin = pins[at] ?? newest;
    const { strings } = this.#context;
    const name = strings.name(pin.user);
    const text = pinnedWords(pin, this.#context);
    const marks = Math.min(MARKS, pins.length);
    return (
      <>
        <section class="pins" aria-label={strings.text('pin.label')}>
          <button
            type="button"
            class="pin"
            onClick={() => {
              this.#go(room, pin);
              this.#shown.set(room, (pins[(at + 1) % pins.length] ?? pin).seq);
            }}
          >
            {marks > 1 && (
              <span class="marks" aria-hidden="true">
                {pins.slice(0, MARKS).map(({ seq }, n) => (
                  <i key={seq} class={n === Math.floor((at * marks) / pins.length) ? 'on' : undefined} />
                ))}
              </span>
            )}
            <Icon name="pin" />
            {/* Hidden words around the visible text say what a click does. */}
            {strings
              .text('pin.go')
              .split(/(\{name\}|\{text\})/)
              .map((part) => {
                if (part === '{name}')
                  return (
                    <b key={part}>
                      <bdi>{name}</bdi>
                    </b>
                  );
                if (part === '{text}')
                  return (
                    <span key={part} dir="auto">
                      {text}
                    </span>
                  );
                return (
                  <span class="vh" key={part}>
                    {part}
                  </span>
                );
              })}
          </button>
          {pins.length > 1 ? this.#all(room) : this.#hide(room, newest)}
        </section>
        {this.#open === room && this.#list(room)}
      </>
    );
  }

  /** Closes the list. @returns whether it was open */
  close(): boolean {
    if (this.#open === undefined) return false;
    this.#open = undefined;
    this.#context.draw(this.#opener);
    return true;
  }

  #all(room: Room) {
    const { strings, changed } = this.#context;
    return (
      <button
        type="button"
        class="icon wide"
        aria-label={strings.text('pin.all', { n: room.pins.length })}
        aria-haspopup="dialog"
        aria-expanded={this.#open === room}
        onClick={(event) => {
          this.#opener = event.currentTarget;
          this.#open = this.#open === room ? undefined : room;
          changed();
        }}
      >
        <span aria-hidden="true">{room.pins.length}</span>
        <Icon name="fold" />
      </button>
    );
  }

  #hide(room: Room, pin: Pin) {
    const { chat, strings, draw } = this.#context;
    return (
      <IconButton
        name="close"
        label={strings.text('pin.hide')}
        press={() => {
          chat.store?.set(hiddenPin(room), pin.at);
          draw();
        }}
      />
    );
  }

  #list(room: Room) {
    const close = () => void this.close();
    const go = (pin: Pin) => {
      close();
      this.#go(room, pin);
    };
    const gone = () => {
      if (this.#open === room) this.#open = undefined;
    };
    return <PinnedDialog context={this.#context} room={room} go={go} close={close} gone={gone} />;
  }

  #go(room: Room, { seq }: Pin): void {
    this.#context.jump({ room: room.id, seq });
  }
}

interface DialogProps {
  readonly context: Context;
  readonly room: Room;
  go(pin: Pin): void;
  close(): void;
  /** Called when the list is removed, for example because another room is shown. */
  gone(): void;
}

/** The list below the bar. A click outside closes it. */
class PinnedDialog extends Component<DialogProps> {
  readonly #close = createRef<HTMLButtonElement>();

  override componentDidMount(): void {
    this.#close.current?.focus();
  }

  override componentDidUpdate(): void {
    // The bar offers the list only for two or more pinned messages.
    if (this.props.room.pins.length < 2) this.props.close();
  }

  override componentWillUnmount(): void {
    this.props.gone();
  }

  override render({ context, room, go, close }: DialogProps) {
    const { strings } = context;
    return (
      <>
        {/* biome-ignore lint/a11y/noStaticElementInteractions: keyboard users press Esc. */}
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: keyboard users press Esc. */}
        <div class="veil clear" onClick={close} />
        <div class="pinlist" role="dialog" aria-label={strings.text('pin.label')}>
          <h3>
            {strings.text('pin.title')} <small>{room.pins.length}</small>
            <button
              type="button"
              class="icon"
              aria-label={strings.text('common.close')}
              ref={this.#close}
              onClick={close}
            >
              <Icon name="close" />
            </button>
          </h3>
          <div class="scroll">
            <PinnedList context={context} room={room} go={go} />
          </div>
        </div>
      </>
    );
  }
}
