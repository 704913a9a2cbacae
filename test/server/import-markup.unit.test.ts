import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { GivenLine } from '../../server/import/lines.ts';
import { escapeText } from '../../server/import/markup.ts';
import { mattermostLines } from '../../server/import/mattermost.ts';
import { rocketChatLines } from '../../server/import/rocket-chat.ts';
import { slackLines } from '../../server/import/slack.ts';
import { type Block, blocks, type Inline } from '../../server/text/format.ts';

const at = Date.UTC(2024, 4, 1, 9);

/** Describes what the client shows: `b(…)` is bold, `i(…)` italic, `c(…)` code, `l(…)` a link. */
const shown = (text: string): string => blocks(text).map(shownBlock).join('\n');
function shownBlock(block: Block): string {
  if (block.kind === 'code') return `code${block.language ?? ''}(${block.text})`;
  if (block.kind === 'list')
    return block.items
      .map(
        (item, n) => `${block.start === undefined ? '-' : block.start + n} ${item.map(shownInline).join('')}`,
      )
      .join('\n');
  const inline = block.inline.map(shownInline).join('');
  return block.kind === 'quote' ? `quote(${inline})` : inline;
}
function shownInline(piece: Inline): string {
  if (typeof piece === 'string') return piece;
  if ('code' in piece) return `c(${piece.code})`;
  if ('mark' in piece)
    return `${piece.mark === 'strong' ? 'b' : 'i'}(${piece.inline.map(shownInline).join('')})`;
  return `l(${piece.text})`;
}

type Export = 'slack' | 'mattermost' | 'rocketchat';

/** Converts an export with these messages. */
async function linesOf(kind: Export, messages: readonly object[]): Promise<GivenLine[]> {
  const folder = mkdtempSync(join(tmpdir(), 'import-markup-'));
  const put = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value));
  try {
    if (kind === 'slack') {
      mkdirSync(join(folder, 'general'));
      put('users.json', [{ id: 'U1', name: 'ann', profile: { display_name: 'Ann' } }]);
      put('channels.json', [{ id: 'C1', name: 'general' }]);
      const withTimes = messages.map((message, n) => ({ user: 'U1', ts: `${at / 1000 + n}.1`, ...message }));
      put('general/2024-05-01.json', withTimes);
      return [...slackLines(folder)] as GivenLine[];
    }
    if (kind === 'rocketchat') {
      const line = (message: object, n: number) =>
        JSON.stringify({ username: 'ann', ts: new Date(at + n).toISOString(), ...message });
      writeFileSync(join(folder, 'general.json'), messages.map(line).join('\n'));
      return [...rocketChatLines(folder)] as GivenLine[];
    }
    const found: GivenLine[] = [];
    const given = [
      { type: 'channel', channel: { team: 'a', name: 'general', type: 'O' } },
      ...messages.map((message, n) => {
        return {
          type: 'post',
          post: { team: 'a', channel: 'general', user: 'ann', create_at: at + n, ...message },
        };
      }),
    ];
    const lines = (async function* () {
      for (const one of given) yield { given: one, place: 'x' };
    })();
    for await (const line of mattermostLines(lines)) found.push(line as GivenLine);
    return found;
  } finally {
    rmSync(folder, { recursive: true });
    expect(existsSync(folder)).toBe(false);
  }
}

/** Returns what the client shows of each message. */
async function shownOf(kind: Export, messages: readonly object[]): Promise<string[]> {
  const lines = await linesOf(kind, messages);
  return lines.flatMap((line) => (line.type === 'message' ? [shown(line.text ?? '')] : []));
}

const slack: [string, string][] = [
  ['*bold* and _italic_', 'b(bold) and i(italic)'],
  ['*_both_* and _*both*_', 'b(i(both)) and i(b(both))'],
  ['*bold*, (*bold*) and "_italic_".', 'b(bold), (b(bold)) and "i(italic)".'],
  ['~gone~', '~gone~'],
  ['snake_case_name and 2*3*4', 'snake_case_name and 2*3*4'],
  ['* not bold * and _ not italic _', '* not bold * and _ not italic _'],
  ['_..._ and _!_', '... and !'],
  ['**two stars**', '**two stars**'],
  ['C:\\_files_ and \\\\server\\.x', 'C:\\_files_ and \\\\server\\.x'],
  ['`a_b *c* <https://a.example>` d', 'c(a_b *c* https://a.example) d'],
  ['```\nconst a = *b*;\n```', 'code(const a = *b*;)'],
  ['```html\n&lt;b&gt;```', 'code(html\n<b>)'],
  ['see ```x``` now', 'see \ncode(x)\n now'],
  ['&gt; quoted *bold*\nanswer', 'quote(quoted b(bold))\nanswer'],
  ['&gt;quoted\n&gt;more', 'quote(quoted\nmore)'],
  ['before\n&gt;&gt;&gt; all\nthe _rest_', 'before\nquote(all\nthe i(rest))'],
  ['• one\n• *two*', '- one\n- b(two)'],
  // As in exports of 2026.
  ['list:\n1. main\n    ◦ nested\n    a. deeper\n2. last', 'list:\n1 main\n- nested\n    a. deeper\n2 last'],
  ['&gt; a block\n&gt; *a block*\n&gt; ~_*`a block`*_~', 'quote(a block\nb(a block)\n~i(b(c(a block)))~)'],
  ['with *files  <@U1>* \nF07A32DC2GG', 'with b(files  @Ann) \nF07A32DC2GG'],
  ['<!channel> _*<!here>*_ test', '@channel i(b(@here)) test'],
  ['```# code\n\ndef x() -&gt; str:\n    return y```', 'code(# code\n\ndef x() -> str:\n    return y)'],
  // As other exporters write it.
  ['>quoted:\n><https://a.example|foo|oof>\n>more', 'quote(quoted:\nfoo|oof (l(https://a.example))\nmore)'],
  ['1 &lt; 2 &amp;&amp; 3 &gt; 2 &amp;lt;', '1 < 2 && 3 > 2 &lt;'],
  ['<@U1>, <@U8|cat>, <@U7>', '@Ann, @cat, @U7'],
  ['*<@U1>* _<@U1>_', 'b(@Ann) i(@Ann)'],
  ['<#C1> <#C9|plans> <!here> <!channel|channel> <!everyone>', '#general #plans @here @channel @everyone'],
  ['<!subteam^S1|@devs> <!subteam^S2>', '@devs @S2'],
  ['<!date^1714554060^{date} at {time}|May 1, 9:01>', 'May 1, 9:01'],
  ['<!date^1714554060^{date}^https://a.example/|May 1>', 'May 1'],
  ['<!date^1714554060^{date}>', '2024-05-01T09:01:00.000Z'],
  ['<mailto:ann@a.example|ann@a.example>', 'l(ann@a.example)'],
  ['<mailto:ann@a.example|write me>', 'write me (l(ann@a.example))'],
  ['<tel:+4930123|030 123>', '030 123 (+4930123)'],
  ['<https://a.example/?a=1&amp;b=2>', 'l(https://a.example/?a=1&b=2)'],
  ['<http://a.example|a.example>', 'l(http://a.example)'],
  ['*<https://a.example/x_y|the _page_>*', 'b(the _page_ (l(https://a.example/x_y)))'],
  [
    '<https://a.example>を見て <https://a.example|a>b <https://a.example>.',
    'l(https://a.example) を見て a (l(https://a.example)) b l(https://a.example).',
  ],
  [':tada: :+1::skin-tone-4: :heart: 10:30:tada:', '🎉 👍🏽 ❤️ 10:30🎉'],
  ['*:tada:* :our_own_one:', 'b(🎉) :our_own_one:'],
  ['*a\nb*', '*a\nb*'],
  ['*日本*語 _x_', 'b(日本)語 i(x)'],
];

const mattermost: [string, string][] = [
  ['**bold** __bold__ *italic* _italic_', 'b(bold) b(bold) i(italic) i(italic)'],
  ['***both*** **_both_** *a **b** c*', 'b(i(both)) b(i(both)) i(a b(b) c)'],
  ['~~gone~~', '~~gone~~'],
  ['# Heading with **bold**\ntext', 'b(Heading with bold)\ntext'],
  ['* one\n* two\n+ three', '- one\n- two\n- three'],
  ['1. one\n2. two', '1 one\n2 two'],
  ['> quoted\n> > deeper', 'quote(quoted\n> deeper)'],
  [
    '[title](https://a.example/b_c_d "tip") ![alt](https://a.example/i.png)',
    'title (l(https://a.example/b_c_d)) alt (l(https://a.example/i.png))',
  ],
  ['[https://a.example](https://a.example) <https://a.example>', 'l(https://a.example) l(https://a.example)'],
  ['[a](https://a.example/x_(y)) *i*', 'a (l(https://a.example/x_(y))) i(i)'],
  ['[**bold**](https://a.example)', '**bold** (l(https://a.example))'],
  ['**https://a.example/a*b_c_d**', 'b(l(https://a.example/a*b_c_d))'],
  ['\\*not italic\\* \\# \\[x\\]', '*not italic* # [x]'],
  ['```js\nlet a = `x`;\n```\nafter', 'codejs(let a = `x`;)\nafter'],
  ['~~~\n**x**\n~~~', 'code(**x**)'],
  ['`**x**` :smile: :wave_medium_skin_tone:', 'c(**x**) 😄 👋🏽'],
  ['@ann_b_ snake_case_x', '@ann_b_ snake_case_x'],
];

const rocketchat: [string, string][] = [
  ['*bold* **bold** _italic_ __italic__', 'b(bold) b(bold) i(italic) i(italic)'],
  ['*_both_*', 'b(i(both))'],
  ['~gone~', '~gone~'],
  ['[ ](https://chat.example/channel/general?msg=aBc123) I agree', 'I agree'],
  [
    '[title](https://a.example) <https://a.example|title>',
    'title (l(https://a.example)) title (l(https://a.example))',
  ],
  ['# Heading\n- one\n* two', 'b(Heading)\n- one\n- two'],
  ['>quoted\nanswer', 'quote(quoted)\nanswer'],
  ['```\nplain\n```', 'code(plain)'],
  ['```php\necho 1;\n```', 'codephp(echo 1;)'],
  [':tada: :thumbsup_tone1: :rainbow_flag:', '🎉 👍🏻 🏳️‍🌈'],
  ['snake_case_name `*x*`', 'snake_case_name c(*x*)'],
];

test.each(slack)('shows %j of Slack as %j', async (text, expected) => {
  expect(await shownOf('slack', [{ text }])).toEqual([expected]);
});
test.each(mattermost)('shows %j of Mattermost as %j', async (message, expected) => {
  expect(await shownOf('mattermost', [{ message }])).toEqual([expected]);
});
test.each(rocketchat)('shows %j of Rocket.Chat as %j', async (msg, expected) => {
  expect(await shownOf('rocketchat', [{ msg }])).toEqual([expected]);
});

test.each(['*a* _b_', '**a**', '\\*a* ```x```', '_draft_ (1).pdf', '2*3*4', '*', '\\'])(
  'shows the plain text %j as it is',
  (text) => {
    expect(shown(escapeText(text)).replaceAll('\n', '')).toBe(text.replace('```x```', 'code(x)'));
  },
);

/** Returns author and text of each message, with names as in the lines of users. */
async function authorsOf(kind: Export, messages: readonly object[]): Promise<string[]> {
  const lines = await linesOf(kind, messages);
  const names = new Map(lines.flatMap((line) => (line.type === 'user' ? [[line.id, line.name]] : [])) as []);
  return lines.flatMap((line) =>
    line.type === 'message' ? [`${names.get(line.user as never)}: ${shown(line.text ?? '')}`] : [],
  );
}

test('names people of other workspaces in Slack, also in mentions before their first message', async () => {
  const profile = { display_name: '', real_name: 'Zoe Zimmer', name: 'zoe' };
  expect(
    await authorsOf('slack', [{ text: 'Hi <@U9>' }, { user: 'U9', user_profile: profile, text: 'Hello' }]),
  ).toEqual(['Ann: Hi @Zoe Zimmer', 'Zoe Zimmer: Hello']);
});

test('keeps bots of Slack that share an ID apart by their names', async () => {
  const bot = { user: undefined, subtype: 'bot_message', bot_id: 'B1' };
  const lines = await linesOf('slack', [
    { ...bot, username: 'Build', text: 'one' },
    { ...bot, username: 'Weather', text: 'two' },
    { user: 'U1', bot_id: 'B1', username: 'Weather', text: 'three' },
    { ...bot, bot_id: 'B2', bot_profile: { name: 'Calendar' }, text: 'four' },
  ]);
  const users = lines.flatMap((line) => (line.type === 'user' ? [line.name] : []));
  expect(users).toEqual(['Ann', 'Build', 'Weather', 'Weather', 'Calendar']);
  const authors = lines.flatMap((line) => (line.type === 'message' ? [line.user] : []));
  expect(new Set(authors).size).toBe(4);
});

test('shows blocks of bots in Slack with their formatting', async () => {
  const section = (...elements: object[]) => ({ type: 'rich_text_section', elements });
  const text = (text: string, style?: object) => ({ type: 'text', text, style });
  const blocks = [
    { type: 'header', text: { type: 'plain_text', text: 'Report <1>' } },
    { type: 'section', text: { type: 'mrkdwn', text: '*Done* &amp; <https://a.example|dusted>' } },
    {
      type: 'rich_text',
      elements: [
        section(
          ...[text('Hi '), { type: 'user', user_id: 'U1' }, text(', see '), text(' this ', { bold: true })],
          ...[
            { type: 'link', url: 'https://a.example', text: 'page' },
            { type: 'emoji', name: 'tada' },
          ],
        ),
        { type: 'rich_text_list', style: 'ordered', elements: [section(text('one')), section(text('two'))] },
        { type: 'rich_text_list', style: 'bullet', indent: 1, elements: [section(text('in it'))] },
        { type: 'rich_text_list', style: 'ordered', offset: 2, elements: [section(text('three'))] },
        { type: 'rich_text_quote', elements: [text('said', { italic: true })] },
        { type: 'rich_text_preformatted', elements: [text('a < b')] },
      ],
    },
  ];
  expect(await shownOf('slack', [{ user: undefined, bot_id: 'B1', text: '', blocks }])).toEqual([
    [
      'Report <1>\nb(Done) & dusted (l(https://a.example))',
      'Hi @Ann, see  b(this) page (l(https://a.example)) 🎉',
      ...['1 one\n2 two', '- in it', '3 three', 'quote(i(said))', 'code(a < b)'],
    ].join('\n'),
  ]);
});

test('shows the quoted text of Rocket.Chat if the export has it, and names of files as they are', async () => {
  const link = 'https://chat.example/channel/general?msg=aBc123';
  const attachments = [
    { message_link: link, text: 'Shall we *go*?', fileName: 'x' },
    { fileName: '_plan_.pdf' },
  ];
  expect(await shownOf('rocketchat', [{ msg: `[ ](${link}) Yes`, attachments }])).toEqual([
    'quote(Shall we b(go)?)\nYes\n_plan_.pdf',
  ]);
});
