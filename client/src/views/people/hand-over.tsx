import { Component } from 'preact';
import type { User } from '../../../../server/wire/events.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Ask } from '../controls/ask.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { PeopleField } from './people-field.tsx';

interface Props {
  readonly context: Context;
  readonly room: Room;
  close(): void;
}

/** The dialog that makes a member the owner of the room. It asks for confirmation, because the owner cannot undo it. */
export class HandOver extends Component<Props> {
  #to: User | undefined;
  #field: PeopleField | undefined;
  #writing = '';

  override render({ context, room, close }: Props) {
    const { chat, strings, toast } = context;
    const label = strings.text('owner.handOver');
    const hint = strings.text('owner.hint');
    const to = this.#to;
    if (to !== undefined)
      return (
        <Ask
          context={context}
          title={strings.text('owner.ask', { room: room.summary.name, name: to.name })}
          text={hint}
          stay={strings.text('common.cancel')}
          label={label}
          run={async () =>
            void (await chat.request('room:role', { room: room.id, user: to.id, role: 'owner' }))
          }
          done={() => toast(strings.text('owner.done', { room: room.summary.name, name: to.name }), 'good')}
          close={close}
        />
      );
    const take = () => void this.#field?.finish();
    return (
      <FormDialog
        context={context}
        title={label}
        typed={this.#writing !== ''}
        label={label}
        submit={take}
        close={close}
      >
        <PeopleField
          context={context}
          label={strings.text('owner.new')}
          chips={[]}
          members={room}
          single
          readOnly={false}
          hint={hint}
          chosen={([chip]) => {
            this.#to = chip?.user;
            context.changed();
          }}
          typed={(text) => {
            this.#writing = text;
          }}
          shown={(field) => {
            this.#field = field;
          }}
        />
      </FormDialog>
    );
  }
}
