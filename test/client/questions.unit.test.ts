import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Chat } from '../../client/src/chat/chat.ts';
import { text } from '../../client/src/chat/form.ts';
import { PageStorage } from '../../client/src/chat/page-storage.ts';
import { aboutPage, Questions } from '../../client/src/chat/questions.ts';
import { Store } from '../../client/src/chat/storage.ts';
import { Tasks } from '../../client/src/connection/tasks.ts';
import { Room } from '../../client/src/store/room.ts';
import { Strings } from '../../client/src/strings/strings.ts';
import type { Context } from '../../client/src/views/context.ts';
import { QuestionViews } from '../../client/src/views/questions/question-views.tsx';
import type { Speaker } from '../../client/src/views/speaker.tsx';
import { textsIn } from '../../client/strings-plugin.ts';
import type { Note, Question, RoomSummary } from '../../server/wire/events.ts';
import { memoryStorage } from './memory-storage.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('what the team sees of the page', () => {
  const about = (path: string, title = 'Shop', card: string | null = null) => {
    vi.stubGlobal('location', new URL(path, 'https://shop.example'));
    return aboutPage('https://shop.example/chat/', title, card);
  };
  const token = 'q7Zk2LxN9wRt4VbY8cHd3';

  test.each([
    ['a long value', `/a?id=7&PHPSESSID=${token}`, '/a?id=7'],
    ['a WordPress key for a new password, of 20 characters', `/a?key=${token.slice(1)}&id=7`, '/a?id=7'],
    ['a short code', '/a?code=123456&reset-token=ab12&Pin=7&keyword=red&id=7', '/a?keyword=red&id=7'],
    ['a long name without a value', `/a?${token}&id=7`, '/a?id=7'],
    ['a key in the path', `/reset/${token}/form?id=7`, '/reset/?id=7'],
    ['a key in base64url in the path', '/join/Qm9-Zg_k2LxN-wRt4VbY', '/join/'],
    ['a key in hexadecimal digits in the path', '/verify/7/0123456789abcdef0123', '/verify/7/'],
    ['a session ID after the path', `/a;jsessionid=${token.toUpperCase()}`, '/'],
    ['the fragment', `/a#${token}`, '/a'],
  ])('does not have %s', (_, path, page) => {
    expect(about(path)?.page).toBe(page);
  });

  test('has the words of a long path', () => {
    const path = '/rezepte/2026/rote-tomaten-mit-basilikum-und-7-zwiebeln-Teil-2.html';
    expect(about(path.toLowerCase())?.page).toBe(path.toLowerCase());
    expect(about('/donaudampfschifffahrtsgesellschaft/')?.page).toBe('/donaudampfschifffahrtsgesellschaft/');
  });

  test('has a title that the server accepts', () => {
    expect(about('/a', ' Red\u2028\ttoma\u00adtoes \u202eShop\u0085\u200b\ud800 ')?.title).toMatch(
      /^Red tomatoes Shop/,
    );
    expect(about('/a', '\u200b')).toEqual({ page: '/a' });
    expect([...(about('/a', '🍅'.repeat(300))?.title ?? '')]).toHaveLength(200);
  });
});

describe('what the asker sees of the question', () => {
  function start(more: object = {}) {
    const chat = { answers: false, can: {}, rooms: new Map(), followers: new Set(), ...more };
    const strings = new Strings({ lang: 'en', by: textsIn('en') });
    const said: string[] = [];
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const views = new QuestionViews(
      { chat, strings, changed() {} } as unknown as Context,
      {} as never,
      { say: (text: string) => said.push(text) } as unknown as Speaker,
      stop.signal,
    );
    const draw = (id: string, question: object) =>
      views.bar(new Room({ id, question } as unknown as RoomSummary));
    return { draw, said };
  }

  test('announces that the team closed the question, once', () => {
    const { draw, said } = start();
    for (const state of ['closed', 'open', 'open']) draw('r-1', { state });
    draw('r-2', { state: 'closed' });
    draw('r-1', { state: 'open' });
    expect(said).toEqual([]);
    for (const state of ['closed', 'closed']) draw('r-1', { state });
    expect(said).toEqual(['This question is closed. Write here to open it again.']);
  });

  test('shows where answers go, without storing the whole address in the browser', async () => {
    const stored = memoryStorage();
    const request = vi.fn(async () => ({}));
    const store = new Store(new PageStorage(() => stored), 'guest');
    const { draw } = start({ can: { address: true }, store, request });
    const form = draw('r-1', { state: 'open' }) as unknown as {
      props: { onSubmit(event: unknown): void };
    };
    const FormDataOf = class {
      get = () => 'eve.adams@example.org';
    };
    vi.stubGlobal('FormData', FormDataOf);
    form.props.onSubmit({ preventDefault() {} });
    await vi.waitFor(() =>
      expect(JSON.stringify(draw('r-1', { state: 'open', address: 'given' }))).toContain('e…@example.org'),
    );
    expect(request).toHaveBeenCalledWith('question:address', { mail: 'eve.adams@example.org' });
    expect(store.keys().map((key) => store.get(key, text))).toEqual(['e…@example.org']);
  });
});

describe('what the team sees of the questions', () => {
  const room = new Room({ id: 'r-1', question: { state: 'open' } } as unknown as RoomSummary);
  const me = { id: '1', name: 'Alice' };
  const question = (id: string, more: Partial<Question> = {}) =>
    ({ room: id, asker: { id: '9', name: 'Eve' }, state: 'open', ...more }) as Question;

  /** A team member whose requests have these answers. */
  function start(answers: Record<string, (payload: { cursor?: string }) => unknown>) {
    vi.useFakeTimers();
    const chat = {
      me: me as typeof me | undefined,
      answers: true,
      rooms: new Map(),
      tasks: new Tasks(),
      list: { put: () => room },
      request: async (name: string, payload: object) => answers[name]?.(payload),
    };
    return { chat, questions: new Questions(chat as unknown as Chat, () => {}) };
  }

  test('a list in sight loads again after the session was checked', async () => {
    const { chat, questions } = start({
      'question:list': () => ({ questions: [question('r-1')], counts: { mine: 0, unassigned: 1, all: 1 } }),
    });
    questions.show();
    await vi.advanceTimersByTimeAsync(0);
    chat.me = undefined;
    questions.silent();
    expect(questions.list).toBeUndefined();
    chat.me = me;
    questions.ready();
    await vi.advanceTimersByTimeAsync(1000);
    expect(questions.list).toHaveLength(1);
  });

  test('a hidden list, and that of another user, are not loaded again', async () => {
    let lists = 0;
    const { chat, questions } = start({
      'question:list': () => {
        lists++;
        return { questions: [] };
      },
    });
    questions.show();
    await vi.advanceTimersByTimeAsync(0);
    chat.answers = false;
    questions.ready();
    await vi.advanceTimersByTimeAsync(1000);
    chat.answers = true;
    questions.hide();
    questions.ready();
    await vi.advanceTimersByTimeAsync(1000);
    expect(lists).toBe(1);
  });

  test('snippets that a dialog shows stay over a new connection, and have the changes of others', async () => {
    let text = 'Hello!';
    const { questions } = start({ 'question:snippets': () => ({ snippets: [{ name: 'hello', text }] }) });
    await questions.loadSnippets();
    text = 'Hi!';
    questions.ready();
    expect(questions.snippets).toEqual([{ name: 'hello', text: 'Hello!' }]);
    await vi.advanceTimersByTimeAsync(0);
    expect(questions.snippets).toEqual([{ name: 'hello', text: 'Hi!' }]);
  });

  test('an asker who was in the team no longer sees the notes', async () => {
    const note = { id: 'n', room: 'r-1', after: 1, user: me, text: 'difficult', at: 0 } satisfies Note;
    const { chat, questions } = start({});
    questions.noted({ room: 'r-1', id: 'n', note });
    expect(questions.notes(room)).toEqual([note]);
    chat.answers = false;
    expect(questions.notes(room)).toEqual([]);
  });

  test('a question that moves to the next page is listed once', async () => {
    const pages = (cursor?: string) =>
      cursor === undefined
        ? { questions: [question('r-1'), question('r-2')], next: 'c' }
        : { questions: [question('r-1'), question('r-3')] };
    const { questions } = start({ 'question:list': ({ cursor }) => pages(cursor) });
    questions.show();
    await vi.advanceTimersByTimeAsync(0);
    questions.more();
    await vi.advanceTimersByTimeAsync(0);
    expect(questions.list?.map((listed) => listed.room)).toEqual(['r-1', 'r-2', 'r-3']);
    expect(questions.hasMore).toBe(false);
  });

  test('a change leaves the list as long as it was, with all its pages', async () => {
    const all = Array.from({ length: 130 }, (_, n) => question(`r-${n}`));
    let requests = 0;
    const { questions } = start({
      'question:list': ({ cursor = '0' }) => {
        requests++;
        const end = Number(cursor) + 50;
        return { questions: all.slice(Number(cursor), end), next: end < all.length ? `${end}` : undefined };
      },
    });
    questions.show();
    await vi.advanceTimersByTimeAsync(0);
    for (let page = 0; page < 2; page++) {
      questions.more();
      await vi.advanceTimersByTimeAsync(0);
    }
    questions.question(question('r-120', { waitingSince: 1 }));
    await vi.advanceTimersByTimeAsync(1000);
    expect(questions.list?.map((listed) => listed.room)).toEqual(all.map(({ room }) => room));
    expect(questions.hasMore).toBe(false);
    expect(requests).toBe(6);
  });

  test('a change of a question during the request of a page does not drop the page', async () => {
    const { questions } = start({
      'question:list': ({ cursor }) => {
        if (cursor === undefined) return { questions: [question('r-1')], next: 'c' };
        questions.question(question('r-1', { by: me }));
        return { questions: [question('r-2')] };
      },
    });
    questions.show();
    await vi.advanceTimersByTimeAsync(0);
    questions.more();
    await vi.advanceTimersByTimeAsync(0);
    expect(questions.list?.map((listed) => listed.room)).toEqual(['r-1', 'r-2']);
  });
});
