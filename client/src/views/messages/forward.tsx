import { Component } from 'preact';
import { folded, typedFirst } from '../../../../server/text/folding.ts';
import type { Message } from '../../../../server/wire/events.ts';
import type { Room } from '../../store/room.ts';
import { confirms } from '../../text/keys.ts';
import { codePoints } from '../../text/paste.ts';
import { wordsOf } from '../../text/words.ts';
import type { Context } from '../context.ts';
import { TextField } from '../controls/dialog.tsx';
import { FilterField } from '../controls/filter-field.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { RoomFace } from '../rooms/room-face.tsx';

/** Maximum number of chats for one forward. */
const MOST = 5;
/** Maximum number of chats in the list. The user finds others by name. */
const SHOWN = 100;

interface Props {
  readonly context: Context;
  readonly message: Message;
  close(): void;
}

/** The dialog that forwards copies of a message to other chats, after an optional note. */
export class Forward extends Component<Props> {
  readonly #chosen = new Set<Room>();
  #query = '';
  #note = '';

  override render({ context, message, close }: Props) {
    const { chat, strings, changed } = context;
    const found = this.#found();
    const n = this.#chosen.size;
    const over = codePoints(this.#note) - chat.limits.text;
    return (
      <FormDialog
        context={context}
        title={strings.text('forward.title')}
        typed={n > 0 || this.#note !== ''}
        label={n === 0 ? strings.text('forward.title') : strings.text('forward.submit', { n })}
        submit={this.#submit}
        close={close}
      >
        <p class="text q">{wordsOf(message.text, message.files, strings, context.linked)}</p>
        <FilterField
          label={strings.text('rooms.filter')}
          query={this.#query}
          typed={(query) => {
            this.#query = query;
            changed();
          }}
          pressed={(event) => {
            // Enter selects the only match. It must not send.
            if (!confirms(event)) return;
            event.preventDefault();
            event.stopPropagation();
            // The rendered list may be a letter behind the field.
            const [only, ...others] = this.#found();
            if (only !== undefined && others.length === 0) this.#choose(only);
          }}
        />
        {found.length === 0 ? (
          <p class="hint">{strings.text('rooms.filterNone', { q: this.#query })}</p>
        ) : (
          <ul class="choose" aria-label={strings.text('rooms.list')}>
            {found.map((room) => this.#row(room))}
          </ul>
        )}
        {n === MOST && <p class="hint">{strings.text('forward.limit', { n: MOST })}</p>}
        <TextField
          id="forward-note"
          label={strings.text('forward.note')}
          optional={strings.text('create.optional')}
          value={this.#note}
          readOnly={false}
          error={over > 0 ? strings.count('composer.tooMany', over) : undefined}
          typed={(note) => {
            this.#note = note;
            changed();
          }}
        />
      </FormDialog>
    );
  }

  #found(): Room[] {
    const { chat, strings } = this.props.context;
    const wanted = folded(this.#query.trim());
    const nameOf = ({ summary }: Room) => strings.roomName(summary);
    const rooms = chat.list.own().filter((room) => folded(nameOf(room)).includes(wanted));
    return typedFirst(rooms, this.#query.trim(), nameOf).slice(0, SHOWN);
  }

  #row(room: Room) {
    const { strings } = this.props.context;
    const isClosed = !room.summary.may.includes('send');
    const isChosen = this.#chosen.has(room);
    return (
      <li key={room.id}>
        <label>
          <RoomFace summary={room.summary} />
          <span>
            <bdi>{strings.roomName(room.summary)}</bdi>
          </span>
          {isClosed && <small>{strings.text('forward.readOnly')}</small>}
          <input
            type="checkbox"
            checked={isChosen}
            disabled={isClosed || (!isChosen && this.#chosen.size === MOST)}
            onChange={() => this.#choose(room)}
          />
        </label>
      </li>
    );
  }

  #choose(room: Room): void {
    if (this.#chosen.has(room)) this.#chosen.delete(room);
    else if (room.summary.may.includes('send') && this.#chosen.size < MOST) this.#chosen.add(room);
    this.props.context.changed();
  }

  readonly #submit = () => {
    const { context, message, close } = this.props;
    const { chat, strings, toast } = context;
    const note = this.#note.trim();
    if (this.#chosen.size === 0 || codePoints(note) > chat.limits.text) return;
    for (const room of this.#chosen) {
      if (!chat.forward(message, room, note)) return toast(strings.text('error.other'), 'bad');
    }
    close();
    // Without a connection, the banner shows the number of unsent messages.
    if (chat.connection.state.kind === 'ready') toast(strings.text('forward.done'), 'good');
  };
}
