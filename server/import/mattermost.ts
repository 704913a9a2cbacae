import type { GivenLine } from './lines.ts';

interface MattermostPost {
  team?: string;
  channel?: string;
  user: string;
  message?: string;
  create_at: number;
  replies?: MattermostPost[];
  attachments?: { path: string }[];
}

interface MattermostLine {
  type: string;
  channel?: { team: string; name: string; display_name?: string; type?: string; header?: string };
  user?: {
    username: string;
    nickname?: string;
    first_name?: string;
    last_name?: string;
    teams?: { name: string; channels?: { name: string; roles?: string }[] | null }[] | null;
  };
  post?: MattermostPost;
}

/**
 * A bulk export of Mattermost, the file of JSON lines (https://docs.mattermost.com/manage/bulk-export-tool.html). Direct
 * messages are left out. Attachments are beside it, in `data`.
 */
export async function* mattermostLines(lines: AsyncIterable<{ given: unknown }>): AsyncGenerator<GivenLine> {
  const posts: MattermostPost[] = [];
  const rooms = new Set<string>();
  for await (const { given } of lines) {
    const { type, channel, user, post } = given as MattermostLine;
    if (type === 'channel' && channel !== undefined) {
      const { team, name, display_name: shown, type: kind, header } = channel;
      const topic = header ? { topic: [...header.replaceAll(/\p{C}/gu, ' ')].slice(0, 250).join('') } : {};
      rooms.add(roomOf(team, name));
      yield {
        type: 'room',
        id: roomOf(team, name),
        name: shown || name,
        kind: kind === 'O' ? 'public' : 'private',
        ...topic,
      };
    } else if (type === 'user' && user !== undefined) {
      const { username, nickname, first_name: first = '', last_name: last = '', teams } = user;
      yield { type: 'user', id: username, name: nickname || `${first} ${last}`.trim() || username };
      for (const { name: team, channels } of teams ?? [])
        for (const { name, roles = '' } of (channels ?? []).filter(({ name }) =>
          rooms.has(roomOf(team, name)),
        ))
          yield {
            type: 'member',
            room: roomOf(team, name),
            user: username,
            role: roles.includes('channel_admin') ? 'moderator' : 'member',
          };
    } else if (type === 'post' && post !== undefined) posts.push(post);
  }
  // A reply stands with its root, and may be younger than the next root.
  const all = posts.flatMap((root) => {
    const id = idOf(root, root);
    const replies = (root.replies ?? []).map((reply) => ({ root, post: reply, replyTo: id }));
    return [{ root, post: root, replyTo: undefined as string | undefined }, ...replies];
  });
  for (const { root, post, replyTo } of all.sort((a, b) => a.post.create_at - b.post.create_at)) {
    const { user, message = '', create_at: at, attachments = [] } = post;
    yield {
      type: 'message',
      id: idOf(root, post),
      room: roomOf(root.team ?? '', root.channel ?? ''),
      user,
      at,
      text: message,
      ...(replyTo === undefined ? {} : { replyTo }),
      ...(attachments.length === 0
        ? {}
        : { files: attachments.slice(0, 10).map(({ path }) => ({ path: `data/${path}` })) }),
    };
  }
}

const roomOf = (team: string, channel: string) => `${team}/${channel}`;

/** An export has no ids of messages: nobody writes two in the same millisecond of a channel. */
const idOf = ({ team, channel }: MattermostPost, { user, create_at: at }: MattermostPost) =>
  `${team}/${channel} ${at} ${user}`;
