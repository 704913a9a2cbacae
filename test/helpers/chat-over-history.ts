import type { Chat } from '../../server/chat/chat.ts';
import { openChat } from '../../server/chat/open-chat.ts';
import type { History } from '../../server/history/history.ts';
import { openSqliteHistory } from '../../server/history/sqlite/sqlite.ts';
import { FileBudget } from '../../server/limits/file-budget.ts';
import { emptyHistory } from './chat-server.ts';

export interface OpenChat {
  readonly chat: Chat;
  readonly history: History;
  close(): Promise<void>;
}

function unexpected(error: Error): never {
  throw error;
}

function ignore(): void {}

/**
 * Opens the chat in this process, without HTTP and sockets, on a new history.
 * @param around wraps the real history to replace parts of it
 * @param over options of `openChat` that the test sets itself
 */
export async function openChatOver(
  around: (stored: History) => Partial<History>,
  over: (history: History) => Partial<Parameters<typeof openChat>[0]> = () => ({}),
): Promise<OpenChat> {
  const folder = await emptyHistory();
  const stored = await openSqliteHistory({ path: folder.path, onFailure: unexpected });
  const history: History = { ...stored, ...around(stored) };
  const chat = await openChat({
    history,
    publisher: { toRoom: ignore, toConnections: ignore, join: ignore, leave: ignore },
    settings: {
      createRooms: 'all',
      direct: true,
      findPeople: 'rooms',
      lastSeen: true,
      seen: true,
      moderateData: false,
      files: { kind: 'off' },
      previews: false,
      hold: { mode: 'off', words: [] },
      mails: false,
    },
    limits: { text: 4000, members: 0, roomsOfUser: 0, later: 100, send: { count: 0, ms: 0 } },
    fileBudget: new FileBudget({ count: 0, ms: 0 }),
    rooms: [],
    retention: { rooms: 0, direct: 0, acts: 0 },
    kick: async () => {},
    onAsideFailure: (_, error) => unexpected(error as Error),
    onEndFailure: unexpected,
    onSweepFailure: unexpected,
    onKeysRenewed() {},
    onKeysFailure: unexpected,
    onDueFailure: unexpected,
    onOtherRoom: ({ id }) => unexpected(new Error(id)),
    ...over(history),
  });
  return {
    chat,
    history,
    async close() {
      chat.close();
      await history.close();
      folder.remove();
    },
  };
}
