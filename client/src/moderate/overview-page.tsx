import type { Answers } from '../../../server/wire/events.ts';
import { RequestError } from '../connection/connection-state.ts';
import { Bones } from '../views/controls/bones.tsx';
import { Icon, type IconName } from '../views/controls/icon.tsx';
import { sizeOfFiles } from '../views/files/file-size.ts';
import { howLong } from '../views/questions/how-long.ts';
import { refusal } from '../views/refusal.ts';
import { listTime } from '../views/rooms/list-time.ts';
import type { DeskContext } from './desk-context.ts';
import { counted } from './mod-words.ts';
import { Failed } from './nothing.tsx';
import type { Drawn, Part } from './part.ts';
import { Scroll } from './scroll.tsx';

type Overview = Answers['moderate:overview'];
type Day = Overview['messages'][number];

/** The dimensions of the plot in its own units. A day is 10 units wide. */
const TALL = 100;
const DAY = 10;
const BAR = 7.6;
/** The number of days that are named below the plot. */
const NAMED = 5;
/** If a small write takes longer than this (ms), users notice that the server is slow. */
const SLOW = 200;

/** Each state has a shape, because colour alone is not enough. */
const shapes = { ok: 'dot', slow: 'dot warn', gone: 'dot bad' };
const stateOf = (working: boolean, took = 0): keyof typeof shapes =>
  working ? (took < SLOW ? 'ok' : 'slow') : 'gone';

/** Adds the time zone of the counted days to a text, unless the reader's days begin at the same times. */
const inUtc = (text: string) => (new Date().getTimezoneOffset() === 0 ? text : `${text} (UTC)`);

/** The statistics of the whole chat. */
export class OverviewPage implements Part {
  readonly #context: DeskContext;
  #overview: Overview | 'failed' | undefined;

  constructor(context: DeskContext) {
    this.#context = context;
  }

  open(): void {
    void this.#load();
  }

  ready(): void {
    void this.#load();
  }

  clear(): void {
    this.#overview = undefined;
  }

  draw(): Drawn {
    const { strings } = this.#context;
    const heading = strings.text('mod.overview');
    return {
      whole: (
        <>
          <div class="bar">
            <h2 tabIndex={-1}>
              <span>{heading}</span>
            </h2>
          </div>
          <Scroll label={heading}>{this.#content()}</Scroll>
        </>
      ),
    };
  }

  #content() {
    const { strings } = this.#context;
    const overview = this.#overview;
    if (overview === 'failed')
      return (
        <Failed
          context={this.#context}
          title={strings.text('details.error')}
          again={() => void this.#load()}
        />
      );
    if (overview === undefined)
      return (
        <Bones>
          <div class="page bones" aria-hidden="true">
            <div class="facts">
              {[0, 1, 2, 3].map((n) => (
                <div class="fact" key={n}>
                  <span class="bone line w55" />
                  <span class="bone line w30" />
                </div>
              ))}
            </div>
          </div>
        </Bones>
      );
    const { messages, events, servers } = overview;
    return (
      <div class="page">
        {this.#facts(overview)}
        <h3>
          {strings.text('mod.perDay')} <small>{inUtc(strings.count('link.days', messages.length))}</small>
        </h3>
        {this.#plot(messages)}
        {events !== undefined && events.waiting + events.failed > 0 && this.#events(events)}
        {servers !== undefined && this.#servers(servers)}
      </div>
    );
  }

  #facts({ here, week, messages, rooms, private: hidden, fresh, reports, files, questions }: Overview) {
    const { strings } = this.#context;
    const [yesterday, today] = [messages.at(-2)?.count ?? 0, messages.at(-1)?.count ?? 0];
    // Undefined if the site does not store when users were online.
    const lately = week === undefined ? undefined : strings.text('mod.week', { n: week });
    return (
      <dl class="facts">
        {this.#fact('people', 'person.here', strings.number(here), lately)}
        {this.#fact(
          'bubble',
          'mod.today',
          strings.number(today),
          strings.text('mod.yesterday', { n: yesterday }),
        )}
        {this.#fact(
          'hash',
          'rooms.list',
          strings.number(rooms),
          strings.text('mod.privateRooms', { n: hidden, m: fresh }),
        )}
        {this.#fact('flag', 'mod.openReports', strings.number(reports))}
        {files !== undefined && this.#fact('file', 'details.files', sizeOfFiles(files, strings))}
        {questions !== undefined &&
          this.#fact('reply', 'mod.questions', counted(questions.asked, strings), this.#answered(questions))}
      </dl>
    );
  }

  #answered({ answered, answeredInMs }: NonNullable<Overview['questions']>): string {
    const { strings } = this.#context;
    const n = counted(answered, strings);
    return answeredInMs === undefined
      ? strings.text('mod.answered', { n })
      : strings.text('mod.answeredIn', { n, time: howLong(answeredInMs, strings) });
  }

  #fact(
    picture: IconName,
    words: 'person.here' | 'mod.today' | 'rooms.list' | 'mod.openReports' | 'details.files' | 'mod.questions',
    figure: string,
    sub?: string,
  ) {
    const { strings } = this.#context;
    return (
      <div class="fact">
        <dt>
          <Icon name={picture} />
          {words === 'mod.today' ? inUtc(strings.text(words)) : strings.text(words)}
        </dt>
        <dd>{figure}</dd>
        {sub !== undefined && <dd class="sub">{sub}</dd>}
      </div>
    );
  }

  #plot(messages: readonly Day[]) {
    const { strings } = this.#context;
    const counts = messages.map(({ count }) => count);
    const top = roundUp(Math.max(...counts, 1));
    const wide = messages.length * DAY;
    const label = strings.text('mod.plot', {
      least: Math.min(...counts),
      most: Math.max(...counts),
      today: counts.at(-1) ?? 0,
    });
    return (
      <div class="plot-box">
        <div class="plot-wrap">
          <svg
            class="plot"
            viewBox={`0 0 ${wide} ${TALL}`}
            preserveAspectRatio="none"
            role="img"
            aria-label={label}
          >
            {[0, TALL / 2, TALL].map((y) => (
              <line key={y} x1="0" x2={wide} y1={y} y2={y} />
            ))}
            {messages.map(({ day, count }, n) => {
              const height = (count / top) * TALL;
              return (
                <rect
                  key={day}
                  class={n === messages.length - 1 ? 'now' : undefined}
                  x={n * DAY + (DAY - BAR) / 2}
                  y={TALL - height}
                  width={BAR}
                  height={height}
                  rx="1"
                />
              );
            })}
          </svg>
          <div class="plot-y" aria-hidden="true">
            {[top, top / 2, 0].map((n) => (
              <span key={n}>{strings.number(n)}</span>
            ))}
          </div>
        </div>
        <div class="plot-x" aria-hidden="true">
          {this.#named(messages).map((words) => (
            <span key={words}>{words}</span>
          ))}
        </div>
      </div>
    );
  }

  /** Returns the labels of some days and of today. */
  #named(messages: readonly Day[]): string[] {
    const { strings } = this.#context;
    const date = new Intl.DateTimeFormat(strings.locale, { day: 'numeric', month: 'short', timeZone: 'UTC' });
    const step = Math.floor(messages.length / (NAMED - 1));
    const some = messages.filter((_, n) => n % step === 0).slice(0, NAMED - 1);
    return [...some.map(({ day }) => date.format(new Date(day))), strings.text('time.today')];
  }

  #events({ waiting, failed }: NonNullable<Overview['events']>) {
    const { strings } = this.#context;
    return (
      <>
        <h3>{strings.text('mod.events')}</h3>
        <ul class="rows">
          <li>
            <Icon name={failed === 0 ? 'check' : 'alert'} />
            <div>{strings.text('mod.eventsText', { waiting, failed })}</div>
            {failed > 0 && (
              <button type="button" class="btn s" onClick={() => void this.#retry()}>
                {strings.text('common.again')}
              </button>
            )}
          </li>
        </ul>
      </>
    );
  }

  async #retry(): Promise<void> {
    const { chat, strings, toast } = this.#context;
    try {
      await chat.request('moderate:retry', {});
    } catch (error) {
      toast(refusal(error, strings), 'bad');
    }
    await this.#load();
  }

  #servers(servers: NonNullable<Overview['servers']>) {
    const { strings } = this.#context;
    const connected = strings.text('person.here');
    const took = strings.text('mod.server.took');
    const started = strings.text('mod.server.since');
    const ofVersion = strings.text('mod.server.version');
    const milliseconds = new Intl.NumberFormat(strings.locale, { style: 'unit', unit: 'millisecond' });
    return (
      <>
        <h3>
          {strings.text('mod.servers')} <small>{strings.number(servers.length)}</small>
        </h3>
        <table class="table">
          <thead>
            <tr>
              <th>{strings.text('mod.server')}</th>
              <th>{strings.text('mod.server.state')}</th>
              <th class="n">{connected}</th>
              <th class="n">{took}</th>
              <th class="n">{started}</th>
              <th class="n">{ofVersion}</th>
            </tr>
          </thead>
          <tbody>
            {servers.map(({ name, working, here, took: ms, downSince, version, since }) => (
              <tr key={name}>
                <td>
                  <b>{name}</b>
                </td>
                <td class="end">
                  <span class={shapes[stateOf(working, ms)]} aria-hidden="true" />
                  {downSince === undefined
                    ? strings.text(`mod.server.${stateOf(working, ms)}`)
                    : strings.text('mod.server.down', { when: strings.time(downSince) })}
                </td>
                <td class="n" data-l={connected}>
                  {strings.number(here)}
                </td>
                <td class="n" data-l={took}>
                  {ms === undefined ? '–' : milliseconds.format(ms)}
                </td>
                <td class="n" data-l={started}>
                  {since === undefined || !working ? (
                    '–'
                  ) : (
                    <span title={strings.fullTime(since)}>{listTime(since, strings)}</span>
                  )}
                </td>
                <td class="n" data-l={ofVersion}>
                  {version ?? '–'}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </>
    );
  }

  async #load(): Promise<void> {
    const { chat, changed } = this.#context;
    try {
      this.#overview = await chat.request('moderate:overview', {});
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (typeof this.#overview !== 'object') this.#overview = 'failed';
    }
    changed();
  }
}

/** Returns the next round number whose half is also an integer. */
function roundUp(n: number): number {
  const size = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 4, 6, 8, 10].map((step) => step * size).find((one) => one >= n && one % 2 === 0) ?? 2;
}
