import { Component } from 'preact';
import type { User } from '../../../../server/wire/events.ts';
import type { RestrictedUser } from '../../chat/room-restricted.ts';
import type { Room } from '../../store/room.ts';
import type { Strings } from '../../strings/strings.ts';
import type { Context } from '../context.ts';
import { refusal } from '../refusal.ts';
import { Restrict, type Restriction } from './restrict.tsx';
import { restrictedBy } from './restriction-words.ts';

interface Props {
  readonly context: Context;
  readonly room: Room;
  readonly user: User;
  readonly how: 'mute' | 'ban';
  close(): void;
}

/** The dialog that mutes or bans a member of a room, or lifts the current mute. */
export class RestrictMember extends Component<Props> {
  #mute: RestrictedUser | undefined;

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
        muted={this.#mute && { words: muteWords(this.#mute, strings), lift }}
        run={async (restriction) => {
          await request(restriction);
          const words = strings.text(how === 'mute' ? 'mute.done' : 'ban.done', { name: user.name });
          // Undo would not restore the previous mute.
          toast(words, 'good', this.#mute ? undefined : { label: 'common.undo', run: undo });
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
        .request('room:restricted', { room: room.id, cursor })
        // Without the list, the user can still mute.
        .catch(() => undefined);
      if (page === undefined) return;
      this.#mute = page.users.find((one) => one.kind === 'muted' && one.user.id === user.id);
      cursor = page.next;
    } while (cursor !== undefined && this.#mute === undefined);
    if (this.#mute !== undefined) context.changed();
  }
}

function muteWords(mute: RestrictedUser, strings: Strings): string {
  const reason =
    mute.reason === undefined ? '' : ` ${strings.text('composer.reason', { text: mute.reason })}`;
  return `${restrictedBy(mute, strings)}${reason}`;
}
