import { setAddress } from '../chat/questions/address.ts';
import { addNote, listSnippets, removeNote, setSnippet } from '../chat/questions/notes.ts';
import {
  ask,
  assignQuestion,
  claim,
  closeQuestion,
  listQuestions,
  openQuestion,
} from '../chat/questions/questions.ts';
import { isOfTeam } from '../chat/questions/roles.ts';
import { canOf } from '../chat/summary.ts';
import { isGuest } from '../wire/guest.ts';
import { allGuests, type Context, guestsWhoWrite, type RequestHandlers } from './request.ts';

type Asking = Pick<Context<'question:list'>, 'chat' | 'connection'>;

const mayAsk = ({ chat, connection }: Asking) => canOf(chat.settings, connection.identity.roles).ask === true;
const answers = ({ connection }: Asking) => isOfTeam(connection.identity);

export const questionRequests: RequestHandlers<
  | 'question:about'
  | 'question:ask'
  | 'question:address'
  | 'question:claim'
  | 'question:list'
  | 'question:open'
  | 'question:take'
  | 'question:hand'
  | 'question:close'
  | 'question:note'
  | 'question:unnote'
  | 'question:snippets'
  | 'question:snippet'
> = {
  'question:about': {
    guests: allGuests,
    order: 'read',
    allowed: ({ chat }) => chat.team.isOn,
    run: ({ chat }) => chat.team.expectations(),
  },
  'question:ask': {
    guests: guestsWhoWrite,
    order: 'change',
    allowed: mayAsk,
    counts: () => ({ send: 1 }),
    async run({ chat, connection, payload, notCounted, active }) {
      const { answer, repeated } = await ask(chat, connection, payload);
      if (repeated) notCounted();
      // A guest who leaves after asking gets the answer by mail without the delay after an activity.
      else if (!isGuest(connection.person.user.id)) active();
      return answer;
    },
  },
  'question:address': {
    guests: guestsWhoWrite,
    order: 'change',
    allowed: ({ chat, connection }) => canOf(chat.settings, connection.identity.roles).address === true,
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => setAddress(chat, connection, payload),
  },
  'question:claim': {
    order: 'change',
    allowed: mayAsk,
    counts: () => ({ invite: 1 }),
    run: ({ chat, connection, payload }) => claim(chat, connection, payload),
  },
  'question:list': {
    order: 'read',
    allowed: answers,
    run: ({ chat, connection, payload }) => listQuestions(chat, connection.person.user.id, payload),
  },
  'question:open': {
    order: 'change',
    allowed: answers,
    run: ({ chat, connection, payload }) => openQuestion(chat, connection, payload),
  },
  'question:take': {
    order: 'change',
    allowed: answers,
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => assignQuestion(chat, connection, payload),
  },
  'question:hand': {
    order: 'change',
    allowed: answers,
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => assignQuestion(chat, connection, payload),
  },
  'question:close': {
    order: 'change',
    allowed: answers,
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => closeQuestion(chat, connection, payload),
  },
  'question:note': {
    order: 'change',
    allowed: answers,
    counts: () => ({ send: 1 }),
    run: ({ chat, connection, payload }) => addNote(chat, connection, payload),
  },
  'question:unnote': {
    order: 'change',
    allowed: answers,
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => removeNote(chat, connection, payload),
  },
  'question:snippets': {
    order: 'read',
    allowed: answers,
    run: ({ chat }) => listSnippets(chat),
  },
  'question:snippet': {
    order: 'change',
    allowed: answers,
    counts: () => ({ change: 1 }),
    run: ({ chat, payload }) => setSnippet(chat, payload),
  },
};
