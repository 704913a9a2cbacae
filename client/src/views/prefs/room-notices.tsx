import { Component } from 'preact';
import type { Notify } from '../../../../server/wire/events.ts';
import { setNotify, usualNotify } from '../../chat/room-actions.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Choice, Row, Section, save } from '../controls/rows.tsx';
import { when } from '../later/times.ts';
import { NotifyLine } from '../rooms/ask-card.tsx';
import { RoomFace } from '../rooms/room-face.tsx';

/** The rooms whose messages notify the user in another way than usual. */
export class RoomNotices extends Component<{ readonly context: Context }> {
  /** Choices that the server has not confirmed. */
  readonly #chosen = new Map<string, Notify>();
  /** Rooms stay in the list when the user chooses the usual way. */
  readonly #listed = new Set<Room>();

  override render({ context }: { readonly context: Context }) {
    const { chat, strings, push } = context;
    // With push, the notifications of this device have their own section.
    const hasPush = chat.can.push && push()?.state !== 'absent';
    const { compare } = new Intl.Collator(strings.locale, { numeric: true });
    const isDirect = ({ summary }: Room) => Number(summary.kind === 'direct');
    for (const room of chat.list.own())
      if (room.summary.notify !== usualNotify(room) || this.#isQuiet(room)) this.#listed.add(room);
    const rooms = chat.list
      .own()
      .filter((room) => this.#listed.has(room))
      .sort(
        (a, b) =>
          isDirect(a) - isDirect(b) || compare(strings.roomName(a.summary), strings.roomName(b.summary)),
      );
    return (
      <Section picture="hash" title={strings.text('rooms.list')}>
        <p class="hint">{strings.text('prefs.rooms')}</p>
        {rooms.length > 0 && <ul class="sets box">{rooms.map((room) => this.#row(room))}</ul>}
        {!hasPush && <NotifyLine context={context} />}
      </Section>
    );
  }

  #isQuiet(room: Room): boolean {
    return room.quietUntil > this.props.context.chat.clock.now;
  }

  #row(room: Room) {
    const { strings } = this.props.context;
    const { id, summary } = room;
    const name = strings.roomName(summary);
    const isQuiet = this.#isQuiet(room);
    return (
      <Row
        key={id}
        title={<bdi>{name}</bdi>}
        hint={
          isQuiet ? strings.text('rooms.quietUntil', { when: when(room.quietUntil, strings) }) : undefined
        }
        before={<RoomFace summary={summary} size="s" />}
      >
        <Choice
          label={name}
          chosen={this.#chosen.get(id) ?? (isQuiet ? 'none' : summary.notify)}
          options={(['all', 'mentions', 'none'] as const).map((notify) => [
            notify,
            strings.text(`settings.notify.${notify}`),
          ])}
          choose={(notify) => this.#choose(room, notify)}
        />
      </Row>
    );
  }

  #choose(room: Room, notify: Notify): void {
    const { context } = this.props;
    const show = (wanted: boolean) => {
      if (wanted) this.#chosen.set(room.id, notify);
      else if (this.#chosen.get(room.id) === notify) this.#chosen.delete(room.id);
      context.changed();
    };
    save(context, show, async () => {
      await setNotify(context, room, notify);
      // The room has the new value now.
      show(false);
    });
  }
}
