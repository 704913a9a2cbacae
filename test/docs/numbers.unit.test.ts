import { expect, test } from 'vitest';
import {
  combined,
  constant,
  fact,
  maskPage,
  maskSource,
  numberProblems,
} from '../helpers/documented-numbers.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const kilobyte = 1024;
const megabyte = 1024 * kilobyte;
const million = 1_000_000;

const config = 'server/settings/config.ts';
const forms = 'server/settings/forms.ts';
const events = 'server/wire/events.ts';
const content = 'server/wire/content.ts';
const values = 'server/wire/values.ts';
const counted = 'server/wire/counted.ts';
const sessionOptions = 'packages/php-session/src/options.ts';
const examine = 'server/files/examine.ts';
const retention = 'server/chat/retention.ts';
const webhooks = 'server/webhooks/webhooks.ts';
const due = 'server/notify/due.ts';
const replyAddress = 'server/mail/replies/reply-address.ts';
const people = 'server/chat/moderation/people.ts';
const overview = 'server/chat/moderation/overview.ts';
const typing = 'server/chat/messages/typing.ts';
const pageReaders = 'server/chat/page-readers.ts';
const browser = 'client/src/connection/connection.ts';
const java = 'android/chat-client/src/main/java/io/github/phpsessionchat';

/** Matches an element of a list of numbers, from 0. */
const nth = (list: string, n: number) => new RegExp(String.raw`\b${list} = \[(?:[\d_]+, ){${n}}([\d_]+)`);
const sum = (a: number, b: number) => a + b;
const bytesOfBase64 = (characters: string) => Math.floor((Number(characters) * 6) / 8);
const attempts = (pauses: string) => pauses.split(',').length + 1;

const pauseBefore = (attempt: number, unit = 1) => constant(webhooks, nth('pauses', attempt - 2), unit);
const idForms = (source: string, name: string) => [
  constant(source, new RegExp(String.raw`${name} = z\.string\(\)\.regex\(.*\{(\d+),`)),
  constant(source, new RegExp(String.raw`${name} = z\.string\(\)\.regex\(.*\{\d+,(\d+)\}`)),
];
const [minClientId = [], maxClientId = []] = idForms(values, 'clientId');
const [minCard = [], maxCard = []] = idForms(content, 'cardRef');
const quietFrom = [
  constant('server/notify/settings.ts', /usualHours = '(\d+):00-/),
  constant('client/src/views/prefs/notices.tsx', /USUAL_HOURS = \{ from: '(\d+):00'/),
];
const quietTo = [
  constant('server/notify/settings.ts', /usualHours = '\d+:00-(\d+):00'/),
  constant('client/src/views/prefs/notices.tsx', /USUAL_HOURS = \{ from: '\d+:00', to: '(\d+):00'/),
];
const mostSeers = [
  constant(events, 'mostSeers'),
  constant('client/src/views/messages/seen-line.tsx', 'mostSeers'),
];
const guestId = [
  constant('server/wire/guest.ts', /\^g-\[0-9a-f\]\{(\d+)\}/),
  constant('server/logins/guests.ts', /'hex'\)\.slice\(0, (\d+)\)/),
];
const protocolVersion = [
  constant(events, /protocol: z\.literal\((\d+)\)/),
  constant(`${java}/Chat.java`, 'PROTOCOL'),
];
const firstRetry = [
  constant(browser, 'FIRST_RETRY_MS', second),
  constant(`${java}/Connection.java`, 'FIRST_RETRY_MS', second),
];
const maxPixels = (format: string) =>
  constant(examine, new RegExp(String.raw`maxPixels: [^}]*\b${format}: ([\d_]+)`), million);
const mostReactions = constant('server/history/messages/reactions.ts', 'mostReactions');
const filesPerHour = constant('server/limits/file-budget.ts', /maxFilesPerHour: Rate = \{ count: (\d+)/);
const usersPerCall = constant('server/http/api.ts', 'maxUsers');
const mostUnreadMentions = constant('server/history/members/reading.ts', 'mostUnreadMentions');
const mostNewReplies = constant('server/history/threads/reads.ts', 'mostNewReplies');
const mostRecent = constant(people, 'mostRecent');
const recently = constant(people, 'recently', hour);
const pendingTtl = constant(retention, 'pendingTtlMs', day);
const settledAfter = constant('server/webhooks/presence.ts', 'settledAfter', second);
const betweenMails = constant(due, 'betweenMails', hour);
const betweenMailsToNew = constant(due, 'betweenMailsToNew', day);
const mostCounted = constant(counted, 'mostCounted');
const team = 'server/chat/questions/team.ts';
const questions = 'server/chat/questions/questions.ts';
const guestAddress = 'server/chat/questions/address.ts';
const answersFor = constant(team, 'answersForMs', day);
const countedQuestions = constant(questions, 'mostOpenCounted');

const pages = {
  'docs/settings.md': {
    facts: [
      fact`end the start with code ${constant('server/program/problem.ts', /configuration: (\d+)/)}`,
      fact`from \`${constant(forms, 'minDuration')}ms\` to \`${constant(forms, 'maxDuration')}h\``,
      fact`(${constant(forms, /bytes = \{ KB: (\d+)/)} and ${constant(forms, /MB: (\d+ \* \d+)/)} bytes)`,
      fact`| 0 to ${constant(config, /CHAT_PORT: [^\]]*\.max\(([\d_]+)\)/)} |`,
      fact`| ${constant(sessionOptions, /\]\{(\d+),\d+\}\$\/\.test\(name\)/)} to ${constant(sessionOptions, /\]\{\d+,(\d+)\}\$\/\.test\(name\)/)} of \`A-Z a-z 0-9 _ -\``,
      fact`at most the first ${constant('packages/php-session/src/identity.ts', 'maxGroups')} |`,
      fact`key file: ${constant(forms, /ticketKey [^;]*length >= (\d+)/)} bytes or more in base64`,
      fact`up to ${constant(config, /\[!-~\]\{0,(\d+)\}/)} printable ASCII`,
      fact`up to ${constant(config, 'maxGuestLabel')} visible characters | first word`,
      fact`up to ${constant(config, 'maxName')} visible characters | name of the site`,
      fact`at most ${constant(forms, 'maxLogoBytes', kilobyte)} KB, ${constant(forms, /logoSides = \{ min: (\d+)/)} to ${constant(forms, /logoSides = \{ min: \d+, max: (\d+)/)} pixels`,
      fact`contrast of at least ${constant('server/wire/branding.ts', 'minContrast')}:1`,
      fact`a logo more than ${constant('server/http/branded-pages.ts', /logo\.width > (\d+) \* logo\.height/)} as wide as high`,
      fact`list of up to ${constant(config, 'maxHoldWords')} words`,
      fact`up to ${constant(config, 'maxTeamText')} visible characters | what visitors`,
      fact`| 1 to ${constant(config, 'maxText')} | longest message`,
      fact`${constant('server/history/rooms/rooms.ts', 'timesWithLost')} times as many with unreadable`,
      fact`number from 1 to ${constant(config, 'maxLater')} |`,
      fact`also ${filesPerHour} files an hour`,
      fact`an IPv6 /${constant('server/connections/address.ts', /join\(':'\)\}::\/(\d+)/)} counts as one`,
      fact`| ${constant(forms, /x21-\\x7e\]\{(\d+),\}/)} characters or more, without blanks`,
      fact`\`whsec_\` and ${constant(forms, /length >= (\d+) && length <= \d+/)} to ${constant(forms, /length >= \d+ && length <= (\d+)/)} random bytes`,
      fact`duration up to \`${constant(config, 'maxCardsTimeoutMs', second)}s\``,
      fact`up to ${constant(config, /9\._:-\]\{1,(\d+)\}/)} of \`A-Z a-z 0-9 . _ : -\``,
      fact`takes \`${constant(config, 'usualDrain', second)}s\``,
      fact`ends within ${combined(sum, constant(config, 'usualDrain', second), constant(config, 'drainMargin', second))} s`,
      fact`(port ${constant('server/mail/place.ts', /smtp: \{ first: (\d+),/)}), or`,
      fact`STARTTLS (port ${constant('server/mail/place.ts', /smtp: .*later: (\d+),/)})`,
      fact`at port ${constant('server/mail/place.ts', /smtp: .*none: (\d+) /)}, with TLS`,
      fact`[/FOLDER]\` (port ${constant('server/mail/place.ts', /imap: \{ first: (\d+),/)})`,
      fact`up to ${combined((most, token) => most - token - 1, constant(replyAddress, 'maxLocal'), constant(replyAddress, 'randomCharacters'))} characters without \`+\``,
      fact`key file: ${constant(forms, /sealingKey [^;]*\{(\d+)\}=/, bytesOfBase64)} random bytes in base64;`,
    ],
    others: [
      '`250ms`, `1s`, `5m` or `1h`',
      '`20/10s` is 20 in any 10 seconds',
      '`512KB` or `1MB`',
      'such as `90d`',
      '`@` is `%40`',
      '`127.0.0.1` behind',
      '`10.0.0.0/8`',
      '`id:7`',
      "['team-7', 42]",
      '`A-Z a-z 0-9 _ -`, not',
      'rooms of two users',
      '`wiki.example:8080`',
      '`push.example:8443`',
    ],
  },
  'docs/api.md': {
    facts: [
      fact`, ${constant('server/chat/questions/api.ts', 'pageSize')} on a page. For the next`,
      fact`(${minClientId} to ${maxClientId} of \`A-Z a-z 0-9 _ -\`)`,
      fact`an event more than ${constant('server/cluster/servers.ts', 'lapsesAfter', second)} s late`,
      fact`deleted after ${constant(retention, 'emptyFor', day)} days without members`,
      fact`up to ${usersPerCall} of each in a call`,
      fact`1 to ${usersPerCall} in a call`,
      fact`(1 to ${constant(events, 'longestSeconds')}), or permanently`,
      fact`answer within ${constant('server/cluster/given-orders.ts', 'answersWithin', second)} second`,
      fact`up to ${constant('server/chat/site.ts', 'actsListed')} on a page`,
      fact`the newest ${constant('server/chat/site.ts', 'actsListed', 2)} of each scope`,
      fact`present for ${settledAfter} s, or absent on all devices for ${settledAfter} s`,
      fact`Texts are cut at ${constant('server/webhooks/bodies.ts', 'mostTextBytes', kilobyte)} KB`,
      fact`2xx within ${constant('server/webhooks/endpoint.ts', 'eventTimeoutMs', second)} s`,
      fact`after ${pauseBefore(2)} s, ${pauseBefore(3, 60)} and ${pauseBefore(4, 60)} minutes, ${pauseBefore(5, 3600)}, ${pauseBefore(6, 3600)}, ${pauseBefore(7, 3600)}, ${pauseBefore(8, 3600)}, ${pauseBefore(9, 3600)} and ${pauseBefore(10, 3600)} hours.`,
      fact`counts, up to ${constant(webhooks, 'longestPause', hour)} hour`,
      fact`Above ${constant(webhooks, 'mostEvents')} events`,
      fact`the newest ${constant('server/chat/site.ts', 'eventsListed')}. \`POST`,
      fact`at most once ${betweenMails} hour`,
      fact`Numbers end at ${constant('server/notify/unread.ts', 'mostUnread')} a room`,
      fact`once ${betweenMailsToNew} day for each sender`,
      fact`which are ${quietFrom}:00 to ${quietTo}:00`,
      fact`a body above ${constant('server/http/api.ts', 'usualSize', kilobyte)} KiB, or ${constant('server/http/api.ts', 'membersSize', megabyte)} MiB`,
    ],
    others: [
      '2^53 − 1',
      '`bob%2Fban`',
      "`'order:4711'`",
      'milliseconds since 1970',
      'With two webhook keys, events have two signatures',
    ],
  },
  'docs/protocol.md': {
    facts: [
      fact`the team keeps, up to ${constant('server/history/questions/snippets.ts', 'mostSnippets')}.`,
      fact`are mailed, at most one mail ${betweenMails} hour`,
      fact`Another one is deleted ${constant('server/wire/guest.ts', 'guestKeptMs', day)} days`,
      fact`- A mailbox gets ${constant('server/mail/mails.ts', /mailsToGuests = \{ count: (\d+)/)} mails to guests in ${constant('server/mail/mails.ts', /mailsToGuests = .+, ms: ([\d_ *]+)/, hour)} hour`,
      fact`send \`question:address\` ${constant(guestAddress, /addressChanges = new RateLimit\(\{ count: (\d+)/)} times in ${constant(guestAddress, /addressChanges = .+, ms: ([\d_ *]+)/, hour)} hour`,
      fact`without it, ${constant(team, 'unseenForMs', day)} days without a connection`,
      fact`up to ${constant(team, 'faces')} faces of the team`,
      fact`of the last ${answersFor} days, if there are ${constant(team, 'leastAnswers')} or more`,
      fact`open questions, counted up to ${countedQuestions}.`,
      fact`up to ${constant(team, 'mostListed')} members who can get the question`,
      fact`- \`question:note\`: up to ${constant('server/wire/questions.ts', 'longestNote')} characters; a question has up to ${constant('server/history/questions/notes.ts', 'mostNotes')} notes`,
      fact`# The wire protocol, version ${protocolVersion}`,
      fact`{ protocol: ${protocolVersion}, user`,
      fact`pings every ${constant('server/wire/ping.ts', 'pingIntervalMs', second)} s`,
      fact`does not answer for ${constant('server/wire/ping.ts', 'pongTimeoutMs', second)} s`,
      fact`outside the namespace for ${constant('server/connections/guard.ts', 'connectTimeout', second)} s`,
      fact`has ${constant('server/connections/guard.ts', 'maxPacketBytes')} bytes`,
      fact`answered within ${constant('server/limits/answer-in-time.ts', 'promised', second)} s`,
      fact`only reads, and waits ${constant('server/limits/answer-in-time.ts', 'maxReadWaitMs', second)} s`,
      fact`more than ${constant('server/requests/dispatch.ts', 'maxValues')} values, or more than ${constant('server/requests/dispatch.ts', 'maxDepth')} levels`,
      fact`up to ${constant('packages/php-session/src/cookie.ts', /\[!#-&\(-;=\?-\[\\\]-~\]\{1,(\d+)\}/)} printable ASCII characters, without blanks and`,
      fact`the login ends ${constant('server/logins/tickets.ts', 'clockSkewMs', second)} s after \`exp\``,
      fact`\`auth.guest\`: ${constant('server/logins/guests.ts', /secret: .*\{(\d+)\}/, bytesOfBase64)} random bytes`,
      fact`is cut to ${constant('server/logins/guests.ts', 'longestName')} visible characters`,
      fact`\`g-\` and ${guestId} hex digits`,
      fact`over ${constant('packages/php-session/src/identity.ts', 'maxCharacters')} characters, with control`,
      fact`The store is silent for ${constant('packages/php-session/src/logins/php-sessions.ts', 'firstCheckMs', (ms) => Math.ceil(Number(ms) / second))} s`,
      fact`- \`rooms\`: up to ${constant('server/chat/rooms.ts', 'maxReadyRooms')}, first`,
      fact`take effect within ${constant('test/guarantees/logout.test.ts', /\.\.\.took\)\)\.toBeLessThan\(within\((\d+)\)/, second)} s`,
      fact`at most ${[constant(browser, /RESUME_PAUSES = \[([^\]]+)\]/, attempts), constant(`${java}/Connection.java`, /RESUME_DELAYS_MS = \{([^}]+)\}/, attempts)]} attempts in ${[constant(browser, 'RESUME_MS', second), constant(`${java}/Connection.java`, 'RESUME_BUDGET_MS', second)]} s`,
      fact`After ${[constant(browser, 'CARD_MS', second), constant(`${java}/Connection.java`, 'REPORT_END_AFTER_MS', second)]} s, say`,
      fact`a random ${firstRetry} to ${firstRetry.map((least) => combined((pause) => 2 * pause, least))} s`,
      fact`returns the newest ${constant('server/chat/messages/newest-pages.ts', 'joinPageSize')} messages`,
      fact`- \`present\`: up to ${constant('server/chat/rooms.ts', 'maxPresentListed')} users`,
      fact`- \`files\`: up to ${constant(content, 'mostFiles')}, in`,
      fact`- \`mentions\`: up to ${constant(content, 'mostMentions')}, each`,
      fact`- \`mentions\`: unread messages, among the newest ${mostUnreadMentions}, that`,
      fact`up to the newest ${constant('server/history/records/room.ts', 'mostDeletedRuns')} runs`,
      fact`the last ${constant('server/history/threads/reads.ts', 'namedAuthors')} authors`,
      fact`unread replies, up to ${mostNewReplies}, among the newest ${constant('server/history/threads/reads.ts', 'maxScannedReplies')}.`,
      fact`exact for the newest ${constant('server/history/records/room.ts', 'mostRuns')} or more`,
      fact`Up to ${constant('server/history/threads/threads.ts', 'mostFollowers')} users follow`,
      fact`has up to ${[constant('server/history/pins.ts', 'mostPins'), constant('client/src/views/pins/pinning.ts', 'MOST')]} pinned`,
      fact`Without a title after ${constant('client/src/views/messages/link-preview.tsx', 'LONGEST', second)} s`,
      fact`up to ${constant('server/previews/previews.ts', 'pictureSide')} pixels a side, is`,
      fact`with up to ${mostSeers} members \`message:seen\``,
      fact`rooms with more than ${mostSeers} members`,
      fact`listed with \`failed\`, for ${constant('server/chat/later.ts', 'failedTtlMs', day)} days`,
      fact`Undeleted ones stay for ${constant('server/chat/later.ts', 'failedTtlMs', day)} days`,
      fact`\`options\`, ${constant(content, /\.array\(visible\(\d+\)\)\s+\.min\((\d+)\)/)} to ${constant('server/wire/polls.ts', 'mostOptions')} different lines of up to ${constant(content, /\.array\(visible\((\d+)\)\)/)} characters`,
      fact`\`place\` has up to ${[constant(content, /place: visible\((\d+)\)/), constant('client/src/views/messages/new-poll.tsx', 'LONGEST_PLACE')]} characters`,
      fact`with the year ${constant(values, /date = .*\.max\(([\d_]+)\)/, (ms) => new Date(Number(ms.replaceAll('_', ''))).getUTCFullYear())}.`,
      fact`do not count among the ${mostReactions} emoji`,
      fact`of ${minCard} to ${maxCard} printable ASCII`,
      fact`reuses the answer for ${constant('server/cards/cards.ts', 'freshMs', second)} s`,
      fact`rejected messages are kept for ${pendingTtl} days, or \`CHAT_RETENTION\` if shorter. A user can have ${constant('server/history/rows/pending.ts', 'maxPendingOfUser')}, then`,
      fact`a limit of ${constant('server/history/rows/pending.ts', 'maxPendingWithLostRooms')} in all`,
      fact`the first ${constant('server/chat/open-chat.ts', /slice\(0, (\d+)\)\}`/)} hex digits`,
      fact`last connection for ${constant(retention, 'lastHereFor', day)} days, rounded down to ${constant('server/chat/last-here.ts', 'stepMs', minute)} minutes`,
      fact`one ${betweenMailsToNew} day for each author`,
      fact`the next one comes ${betweenMailsToNew} day later`,
      fact`at most ${constant('server/notify/unread.ts', 'namedFor', day)} days`,
      fact`**here** for ${constant('server/notify/acts.ts', 'hereFor', minute)} minutes`,
      fact`at most once in ${[constant('server/notify/acts.ts', 'step', second), constant('client/src/chat/activity.ts', 'REPEAT_MS', second)]} s`,
      fact`but at most once ${betweenMails} hour`,
      fact`which are ${quietFrom}:00 to ${quietTo}:00`,
      fact`absent if they are more than ${constant('server/push/notice.ts', 'mostListed')}.`,
      fact`A push comes ${constant('server/notify/concerns.ts', 'pushAfter', second)} s or more`,
      fact`at most once ${constant('server/push/sender.ts', 'betweenSounds', minute)} minute`,
      fact`A message that is ${constant('server/push/pushes.ts', 'newsFor', day)} day old`,
      fact`no names and texts, for ${constant(retention, 'devicesFor', day)} days`,
      fact`\`name\` is the name in the session, cut to ${[constant('packages/php-session/src/identity.ts', 'maxCharacters'), constant(values, /visibleLine\(name, (\d+)\)/)]} characters`,
      fact`An answer ends at ${constant('server/history/engine/read.ts', 'maxPageBytes', kilobyte)} KiB`,
      fact`expired links for ${constant(retention, 'invitesFor', day)} days`,
      fact`Beyond ${combined((reads, members) => reads * members, constant('server/chat/members.ts', 'maxReadsOfSearch'), constant('server/history/find-users.ts', 'maxListedMembers'))} members`,
      fact`can have ${constant('server/chat/moderation/restrictions.ts', 'mostRestricted')} muted`,
      fact`can have ${constant('server/history/invites.ts', 'mostInvites')} links to a room, a room ${constant('server/history/invites.ts', 'mostInvitesOfRoom')} (`,
      fact`After the first ${constant('server/history/find-users.ts', 'maxScannedMembers')} known users`,
      fact`up to ${constant('server/history/users/blocks.ts', 'mostBlocked')} (\`limit_reached\`). The blocked`,
      fact`more than ${constant('server/history/notifications/devices.ts', 'mostDevices')} devices`,
      fact`\`cards: Card[]\`, up to ${constant(events, 'mostCards')} |`,
      fact`up to ${mostReactions} different ones on a message, and ${constant('server/history/messages/reactions.ts', 'mostBegun')} that`,
      fact`within ${constant('server/chat/messages/reactions.ts', 'batchMs')} ms share`,
      fact`up to ${constant('server/chat/later.ts', 'maxAheadDays')} days ahead`,
      fact`A user can have ${constant(config, /CHAT_LIMIT_LATER: \['(\d+)'/)} ([`,
      fact`among the last ${constant('server/chat/moderation/reports.ts', 'maxAuditEntries')} audit entries`,
      fact`${constant('server/chat/moderation/reports.ts', 'contextSize')} messages before and after`,
      fact`newest first, up to ${constant('server/chat/moderation/reports.ts', 'maxReportsOfMessage')}. A closed`,
      fact`of the last ${recently} hours, up to ${mostRecent}, in`,
      fact`joined, for new or deleted replies; at most once ${constant('server/chat/messages/thread-changes.ts', 'intervalMs', second)} second`,
      fact`[asked](#seen-by); at most once ${constant('server/chat/messages/seen.ts', 'intervalMs', second)} second`,
      fact`that did not join; at most once ${constant('server/chat/activity.ts', 'intervalMs', second)} second`,
      fact`batched for ${constant('server/chat/presence.ts', 'batchMs')} ms`,
      fact`batched for up to ${constant('server/chat/presence.ts', 'batchMs')} ms`,
      fact`again for up to ${constant('server/chat/moderation/removals.ts', 'mostTold')} active bans`,
      fact`\`presence:changed\`: up to ${constant('server/chat/presence.ts', 'maxNamed')} users`,
      fact`batched for ${constant('server/chat/presence.ts', 'directBatchMs', second)} s`,
      fact`about every ${[constant('client/src/chat/typing.ts', 'REPEAT_MS', second), constant(`${java}/Typing.java`, 'REPEAT_INTERVAL_MS', second)]} s`,
      fact`and ${[constant(typing, 'timeoutMs', second), constant(`${java}/Typing.java`, 'TYPIST_TIMEOUT_MS', second)]} s after the last`,
      fact`with over ${constant(typing, 'maxPresent')} users present`,
      fact`up to ${constant(pageReaders, 'mostShown')} other users who asked for the same page in the last ${constant(pageReaders, 'staysMs', second)} s`,
      fact`shown there for ${constant(pageReaders, 'repeatMs', second)} s`,
      fact`above ${constant('server/app/routes.ts', 'longestPage')} characters`,
      fact`429 over ${constant('server/http/moderate-export.ts', /mostExports: Rate = \{ count: (\d+)/)} in ${constant('server/http/moderate-export.ts', /mostExports: Rate = \{ count: \d+, ms: (\d+ \* \d+)/, minute)} minute`,
      fact`may store ${filesPerHour} files in ${constant('server/limits/file-budget.ts', /maxFilesPerHour: Rate = \{ count: \d+, ms: (\d+ \* \d+ \* \d+)/, hour)} hour`,
      fact`takes ${constant('server/http/files.ts', 'mostOfAll')} uploads, and ${constant('server/http/files.ts', 'mostOfUser')} from a user`,
      fact`less than ${constant('server/http/progress.ts', 'leastProgress', kilobyte)} KB in ${constant('server/http/progress.ts', 'progressEvery', second)} s`,
      fact`connections below ${constant('server/http/files.ts', 'leastWhileBusy', kilobyte)} KB`,
      fact`429 after ${constant('server/files/examiner.ts', 'maxTaskMs', second)} to ${combined(sum, constant('server/files/examiner.ts', 'maxWaitMs', second), constant('server/files/examiner.ts', 'maxTaskMs', second))} s`,
      fact`is cut to ${constant('server/files/name.ts', 'longest')} characters`,
      fact`The preview has up to ${constant(examine, 'previewSide')} pixels`,
      fact`with up to ${constant('server/files/files.ts', 'roomPictureSide')} pixels a side, named`,
      fact`its loudness in ${[constant(content, /\^\[0-9a-v\]\{(\d+)\}\$/), constant('client/src/views/voice/peaks.ts', 'PEAKS'), constant(`${java}/ChatFile.java`, 'PEAKS')]} equal steps, each a digit from \`0\` to \`v\` (${constant('client/src/views/voice/peaks.ts', 'MOST')})`,
      fact`above ${constant(examine, 'maxFrames')} frames, ${constant(examine, 'maxSide')} pixels a side, ${constant(examine, /\? \{ maxMemory: [^,]+, maxCpuSeconds: (\d+)/)} s of CPU time, ${constant(examine, /\? \{ maxMemory: ([\d *]+)/, 1000 * megabyte)} GB of memory, or ${['png', 'jpeg', 'gif', 'webp'].map(maxPixels)} megapixels in all frames together (PNG of 16 bits and still WebP ${[constant(examine, 'maxStillWebpPixels', million), constant(examine, 'maxDeepPixels', million)]}, AVIF ${maxPixels('avif')})`,
      fact`(headers took over ${constant('server/http/server.ts', 'headersTimeout', second)} s)`,
      fact`(over ${constant('server/wire/errors.ts', 'maxHeaderBytes', kilobyte)} KB of headers, or over ${constant('server/wire/errors.ts', 'maxHeaders')})`,
    ],
    others: [
      'Socket.IO 4 (Engine.IO 4)',
      'milliseconds since 1970',
      'Two such cookies',
      'All codes but the first three',
      'head + 1',
      'messages 1, 2, 3 …',
      '1 coming, 2 not coming, 3 maybe',
      '(`"1"`), in an anonymous poll after a question mark (`"?1"`)',
      '`order:4711`',
      'between two messages',
      'are 9007199254740991',
      '`https`, port 443',
      'the chosen options, from 1',
      'all three are `forbidden`',
      'one of two users',
    ],
  },
};

test.each(Object.entries(pages))('each number of %s is a constant of the code', (page, sources) => {
  expect(numberProblems(page, sources, maskPage).join('\n')).toBe('');
});

/** The descriptions in `docs/asyncapi.json`. Its other numbers are those of the schemas. */
const descriptions = {
  facts: [
    fact`'Cut to ${[constant('server/chat/summary.ts', 'previewLength'), constant('client/src/store/room.ts', 'PREVIEW'), constant(`${java}/Room.java`, 'PREVIEW_LENGTH')]} characters.'`,
    fact`'The first ${[constant('server/history/messages/reactions.ts', 'namedReactors'), constant('client/src/store/reactions.ts', 'NAMED'), constant(`${java}/Change.java`, 'MAX_USERS')]} users by time.`,
    fact`daily at ${constant('server/notify/times.ts', /dailyAt = '(\d+):00'/)}:00`,
    fact`Default: ${quietFrom}:00 to ${quietTo}:00`,
    fact`'Up to ${constant('server/chat/invites.ts', 'mostFaces')} of the members.'`,
    fact`Absent above ${mostCounted}.'`,
    fact`'Messages that are not deleted, counted up to ${mostCounted}.'`,
    fact`'Messages of the last ${recently} hours, counted up to ${mostRecent}.`,
    fact`'Up to ${constant(counted, 'mostRooms')} rooms`,
    fact`'The newest ${constant(counted, 'mostReports')} reports`,
    fact`within CHAT_AUDIT, counted up to ${mostCounted}.'`,
    fact`besides the messages, counted up to ${mostCounted} each`,
    fact`of the last ${answersFor} days, counted up to ${mostCounted}.`,
    fact`'Up to ${constant(team, 'faces')} members of the team.'`,
    fact`'Open questions, counted up to ${countedQuestions}.'`,
    fact`'Up to ${constant(team, 'mostListed')} members of the team, to whom`,
    fact`'Messages of the last ${constant(overview, 'daysShown')} days by UTC`,
    fact`With \`more\`, of ${constant(overview, 'filesCountedOfRoom')} files.'`,
    fact`users of the last ${constant(overview, 'freshDays')} days who`,
    fact`'Messages per day of the last ${constant(overview, 'daysShown')} days`,
    fact`created in the last ${constant(overview, 'freshDays')} days.'`,
    fact`over ${constant(overview, 'filesCounted')} files.`,
    fact`failed events, counted up to ${constant('server/chat/site.ts', 'eventsListed')}.`,
    fact`makes every ${constant('server/cluster/servers.ts', 'beatEvery', second)} s.`,
  ],
  others: ['Absent if 0', 'or 0 if', '0 for none', 'one of the two', 'the ID 0 after'],
};

test('each number of a description in docs/asyncapi.json is a constant of the code', () => {
  expect(numberProblems(events, descriptions, maskSource).join('\n')).toBe('');
});
