import { Component } from 'preact';
import type { Notify } from '../../../../server/wire/events.ts';
import { setNotify } from '../../chat/room-actions.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { Choice, Row, Section, save } from '../controls/rows.tsx';
import { when } from '../later/times.ts';
import { Avatar } from '../people/avatar.tsx';
import { NotifyLine } from '../rooms/ask-card.tsx';

/** Number of rooms shown at first, and added with each click. */
const PAGE = 50;

/** Selects for each room which messages notify the user. */
export class RoomNotices extends Component<{ readonly context: Context }> {
  /** Choices that the server has not confirmed. */
  readonly #chosen = new Map<string, Notify>();
  #shown = PAGE;

  override render({ context }: { readonly context: Context }) {
    const { chat, strings, changed, push } = context;
    // With push, the notifications of this device have their own section.
    const hasPush = chat.can.push && push()?.state !== 'absent';
    const { compare } = new Intl.Collator(strings.locale, { numeric: true });
    const isDirect = ({ summary }: Room) => Number(summary.kind === 'direct');
    const rooms = chat.list
      .own()
      .sort(
        (a, b) =>
          isDirect(a) - isDirect(b) || compare(strings.roomName(a.summary), strings.roomName(b.summary)),
      );
    return (
      <Section picture="hash" title={strings.text('rooms.list')}>
        <p class="hint">{strings.text('settings.notify')}</p>
        {rooms.length > 0 && (
          <ul class="sets box">{rooms.slice(0, this.#shown).map((room) => this.#row(room))}</ul>
        )}
        {rooms.length > this.#shown && (
          <button
            type="button"
            class="btn s"
            onClick={() => {
              this.#shown += PAGE;
              changed();
            }}
          >
            {strings.text('msg.showMore')}
          </button>
        )}
        {!hasPush && <NotifyLine context={context} />}
      </Section>
    );
  }

  #row(room: Room) {
    const { chat, strings } = this.props.context;
    const { id, summary } = room;
    const name = strings.roomName(summary);
    const isQuiet = room.quietUntil > chat.clock.now;
    return (
      <Row
        key={id}
        title={<bdi>{name}</bdi>}
        hint={
          isQuiet ? strings.text('rooms.quietUntil', { when: when(room.quietUntil, strings) }) : undefined
        }
        before={
          summary.kind === 'direct' ? (
            <Avatar user={summary.with ?? { id, name }} kind="s" />
          ) : (
            <Icon name={summary.kind === 'private' ? 'lock' : 'hash'} />
          )
        }
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
