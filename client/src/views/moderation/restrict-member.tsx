import { Component } from 'preact';
import type { User } from '../../../../server/wire/events.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { refusal } from '../refusal.ts';
import { Restrict, type Restriction } from './restrict.tsx';

interface Props {
  readonly context: Context;
  readonly room: Room;
  readonly user: User;
  readonly how: 'mute' | 'ban';
  close(): void;
}

/** The dialog that mutes or bans a member of a room, or lifts the current mute. */
export class RestrictMember extends Component<Props> {
  #muted = false;

  override componentDidMount(): void {
    if (this.props.how === 'mute') void this.#look();
  }

  override render({ context, room, user, how, close }: Props) {
    const { chat, strings, toast } = context;
    const request = async (change: Restriction) =>
      void (await chat.request(`room:${how}`, { room: room.id, user: user.id, ...change }));
    const lift = () => request({ seconds: 0 });
    const undo = () => void lift().catch((error) => toast(refusal(error, strings), 'bad'));
    return (
      <Restrict
        context={context}
        how={how}
        name={user.name}
        room={room.summary.name}
        reasoned
        lift={this.#muted ? lift : undefined}
        run={async (restriction) => {
          await request(restriction);
          const words = strings.text(how === 'mute' ? 'mute.done' : 'ban.done', { name: user.name });
          // Undo would not restore the previous mute.
          toast(words, 'good', this.#muted ? undefined : { label: 'common.undo', run: undo });
        }}
        close={close}
      />
    );
  }

  async #look(): Promise<void> {
    const { context, room, user } = this.props;
    let cursor: string | undefined;
    do {
      const page = await context.chat
        .request('room:restricted', { room: room.id, ...(cursor === undefined ? {} : { cursor }) })
        // Without the list, the user can still mute.
        .catch(() => undefined);
      if (page === undefined) return;
      this.#muted = page.users.some((one) => one.kind === 'muted' && one.user.id === user.id);
      cursor = page.next;
    } while (cursor !== undefined && !this.#muted);
    if (this.#muted) context.changed();
  }
}
