import { deleteRoom, leaveRoom } from '../chat/room-actions.ts';
import chatStyle from '../styles/chat-dialogs.css?inline';
import style from '../styles/dialogs.css?inline';
import { sheetOf } from '../styles/styles.ts';
import { wordsOf } from '../text/words.ts';
import type { Context, DialogRequest } from './context.ts';
import { Ask } from './controls/ask.tsx';
import { Describe } from './files/describe.tsx';
import { ScheduledList } from './later/scheduled-list.tsx';
import { SendLater } from './later/send-later.tsx';
import { Forward } from './messages/forward.tsx';
import { NewPoll } from './messages/new-poll.tsx';
import { SeenBy } from './messages/seen-by.tsx';
import { SelectText } from './messages/select-text.tsx';
import { RejectHeld } from './moderation/reject-held.tsx';
import { ReportMessage } from './moderation/report.tsx';
import { Reports } from './moderation/reports.tsx';
import { RestrictMember } from './moderation/restrict-member.tsx';
import { Restricted } from './moderation/restricted.tsx';
import { NewDirect } from './people/direct.tsx';
import { HandOver } from './people/hand-over.tsx';
import { Invite } from './people/invite.tsx';
import { InviteLink } from './people/invite-link.tsx';
import { PushHelp } from './prefs/push-help.tsx';
import { Shortcuts } from './prefs/shortcuts.tsx';
import { AskDialog } from './questions/ask-dialog.tsx';
import { NoteDialog } from './questions/note-dialog.tsx';
import { SnippetsDialog } from './questions/snippets-dialog.tsx';
import { CreateRoom } from './rooms/create.tsx';
import { Switcher } from './rooms/switcher.tsx';
import { GoToDay } from './search/go-to-day.tsx';

interface Props {
  readonly context: Context;
  readonly request: DialogRequest;
  close(): void;
}

/** Styles of the dialogs, added to the sheets of the element and the panels. */
export const sheet = sheetOf(style + chatStyle);

/** All dialogs. Their code is a separate chunk. */
export function Dialogs({ context, request, close }: Props) {
  const { chat, strings, toast } = context;
  if (request.kind === 'create')
    return <CreateRoom context={context} name={request.name ?? ''} close={close} />;
  if (request.kind === 'switch') return <Switcher context={context} close={close} />;
  if (request.kind === 'keys') return <Shortcuts context={context} close={close} />;
  if (request.kind === 'ask') return <AskDialog context={context} close={close} />;
  const questions = context.questions();
  if (request.kind === 'snippets')
    return questions && <SnippetsDialog context={context} questions={questions} close={close} />;
  if (request.kind === 'note')
    return (
      questions && <NoteDialog context={context} questions={questions} room={request.room} close={close} />
    );
  if (request.kind === 'direct') return <NewDirect context={context} close={close} />;
  if (request.kind === 'select') return <SelectText context={context} text={request.text} close={close} />;
  if (request.kind === 'describe') return <Describe context={context} {...request} close={close} />;
  if (request.kind === 'report')
    return <ReportMessage context={context} message={request.message} close={close} />;
  if (request.kind === 'forward')
    return <Forward context={context} message={request.message} close={close} />;
  if (request.kind === 'seen') return <SeenBy context={context} message={request.message} close={close} />;
  if (request.kind === 'reject') return <RejectHeld context={context} held={request.held} close={close} />;
  if (request.kind === 'poll') return <NewPoll context={context} {...request} close={close} />;
  if (request.kind === 'reports') return <Reports context={context} close={close} />;
  if (request.kind === 'later')
    return <SendLater context={context} title={request.title} schedule={request.schedule} close={close} />;
  if (request.kind === 'scheduled') return <ScheduledList context={context} close={close} />;
  if (request.kind === 'pushHelp') return <PushHelp context={context} {...request} close={close} />;
  if (request.kind === 'block') {
    const { name } = request.user;
    return (
      <Ask
        context={context}
        title={strings.text('block.title', { name })}
        text={strings.text('block.text')}
        stay={strings.text('common.cancel')}
        label={strings.text('block.action', { name })}
        run={request.run}
        close={close}
      />
    );
  }
  if (request.kind === 'delete') {
    const { message } = request;
    return (
      <Ask
        context={context}
        title={strings.text('delete.title')}
        text={strings.text('delete.text', { text: shortened(wordsOf(message.text, message.files, strings)) })}
        stay={strings.text('delete.keep')}
        label={strings.text('action.delete')}
        failed={strings.text('error.delete')}
        run={() => chat.delete(message)}
        close={close}
      />
    );
  }
  if (request.kind === 'day') return <GoToDay context={context} {...request} close={close} />;
  const { room } = request;
  const { name, kind } = room.summary;
  if (request.kind === 'invite')
    return <Invite context={context} room={room} failed={request.failed ?? []} close={close} />;
  if (request.kind === 'inviteLink') return <InviteLink context={context} room={room} close={close} />;
  if (request.kind === 'restricted') return <Restricted context={context} room={room} close={close} />;
  if (request.kind === 'handOver') return <HandOver context={context} room={room} close={close} />;
  if (request.kind === 'deleteRoom') {
    return (
      <Ask
        context={context}
        title={strings.text('owner.deleteAsk', { room: name })}
        text={strings.text('owner.deleteText')}
        stay={strings.text('delete.keep')}
        label={strings.text('owner.delete')}
        run={() => deleteRoom(chat, room)}
        done={() => toast(strings.text('rooms.deleted', { room: name }), 'good')}
        close={close}
      />
    );
  }
  if (request.kind === 'leave') {
    return (
      <Ask
        context={context}
        title={strings.text('leave.title', { room: name })}
        text={strings.text(kind === 'public' ? 'leave.text' : 'leave.private')}
        stay={strings.text('leave.stay')}
        label={strings.text('rooms.leave')}
        run={() => leaveRoom(chat, room)}
        close={close}
      />
    );
  }
  const { user } = request;
  if (request.kind === 'restrict')
    return <RestrictMember context={context} room={room} user={user} how={request.how} close={close} />;
  return (
    <Ask
      context={context}
      title={strings.text('people.removeAsk', { name: user.name, room: name })}
      stay={strings.text('common.cancel')}
      label={strings.text('people.remove')}
      run={async () => void (await chat.request('room:remove', { room: room.id, user: user.id }))}
      done={() => toast(strings.text('people.removed', { name: user.name }), 'good')}
      close={close}
    />
  );
}

/** Returns the first 80 characters on one line, enough to recognise the text. */
function shortened(text: string): string {
  const line = [...text.replace(/\s+/gu, ' ').trim()];
  return line.length <= 80 ? line.join('') : `${line.slice(0, 80).join('')}…`;
}
