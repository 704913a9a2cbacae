import { Component } from 'preact';
import { createRoom } from '../../chat/room-actions.ts';
import type { Context } from '../context.ts';
import { type Chip, PeopleField } from '../people/people-field.tsx';
import { NewRoom } from './new-room.tsx';

interface Props {
  readonly context: Context;
  readonly name: string;
  close(): void;
}

/** The dialog that creates a room, invites users to it, and opens it. */
export class CreateRoom extends Component<Props> {
  #chips: readonly Chip[] = [];
  #people: PeopleField | undefined;
  #writing = '';

  override render({ context, name, close }: Props) {
    const { chat } = context;
    return (
      <NewRoom
        context={context}
        can={chat.can}
        name={name}
        invited={{
          typed: this.#writing !== '' || this.#chips.length > 0,
          draw: (readOnly) => this.#field(readOnly),
          finish: () =>
            this.#people?.finish() === true ? undefined : this.#chips.map(({ user }) => user.id),
        }}
        create={(payload) => createRoom(context, payload)}
        done={({ room, failed }) => {
          context.open(room.id);
          this.#tellFailed(room.id, failed);
        }}
        close={close}
      />
    );
  }

  #field(readOnly: boolean) {
    const { context } = this.props;
    const { strings } = context;
    return (
      <PeopleField
        context={context}
        label={strings.text('create.invite')}
        optional={strings.text('create.optional')}
        chips={this.#chips}
        readOnly={readOnly}
        chosen={(chips) => {
          this.#chips = chips;
          context.changed();
        }}
        typed={(text) => {
          this.#writing = text;
        }}
        shown={(field) => {
          this.#people = field;
        }}
      />
    );
  }

  #tellFailed(id: string, failed: readonly { user: string; code: string }[]): void {
    const { chat, dialog } = this.props.context;
    const room = chat.rooms.get(id);
    if (failed.length === 0 || room === undefined) return;
    const chips = new Map(this.#chips.map(({ user }) => [user.id, user]));
    const users = failed.map(({ user, code }) => ({
      user: chips.get(user) ?? { id: user, name: user },
      code,
    }));
    dialog({ kind: 'invite', room, failed: users });
  }
}
