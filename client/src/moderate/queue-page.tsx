import { createRef } from 'preact';
import type { User } from '../../../server/wire/events.ts';
import type { RequestError } from '../connection/connection-state.ts';
import { Icon } from '../views/controls/icon.tsx';
import { RovingList } from '../views/controls/roving-list.tsx';
import { Choice, Segments } from '../views/controls/rows.tsx';
import { Reject } from '../views/moderation/reject.tsx';
import type { Restriction } from '../views/moderation/restrict.tsx';
import { refusal } from '../views/refusal.ts';
import { type CaseAction, CaseDetail } from './case-detail.tsx';
import { CaseRow } from './case-row.tsx';
import type { DeskContext } from './desk-context.ts';
import { KeyHints } from './keys.tsx';
import { isDirect, roomName, toldReason } from './mod-words.ts';
import { AllClear, Failed, ListToCome } from './nothing.tsx';
import type { Drawn, Part } from './part.ts';
import { type Case, type Decision, type Order, orders, Queue, subjectOf, UNDO_MS } from './queue.ts';
import { type RestrictedRoom, RestrictPerson } from './restrict-person.tsx';

/** The maximum number of rendered rows. Further cases move up when these are decided. */
const DRAWN = 200;

/** The list of messages to decide on, and the chosen message. */
export class QueuePage implements Part {
  readonly queue: Queue;
  readonly #context: DeskContext;
  readonly #list = createRef<HTMLDivElement>();
  #kind: Case['kind'] | 'all' = 'all';
  /** Whether the choices of an order and a room are shown. */
  #sorting = false;
  #room = '';
  /** The key of the shown case, and its index in the list. */
  #shown: { readonly key: string; readonly at: number } | undefined;

  readonly #openKeys: () => void;

  /** @param openKeys - opens the dialog with all shortcuts */
  constructor(context: DeskContext, openKeys: () => void) {
    this.#context = context;
    this.#openKeys = openKeys;
    this.queue = new Queue(context.chat, {
      changed: context.changed,
      meanwhile: (...decided) => this.#meanwhile(...decided),
      refused: (one, decision, error) => this.#refused(one, decision, error),
    });
  }

  /**
   * The chosen case. If the list and the case fit next to each other, a case is chosen unless the queue is empty. It
   * stays chosen while other cases come and go. When it is decided, the next case is chosen.
   */
  get current(): Case | undefined {
    const { cases } = this;
    const { wide, place } = this.#context;
    const { id = wide() ? this.#shown?.key : undefined } = place();
    const chosen = cases.find(({ key }) => key === id);
    if (chosen !== undefined || !wide()) return chosen;
    return cases[this.#shown?.key === id ? (this.#shown?.at ?? 0) : 0] ?? cases.at(-1);
  }

  clear(): void {
    this.queue.clear();
    this.#shown = undefined;
    this.#kind = 'all';
    this.#sorting = false;
    this.#room = '';
  }

  draw(): Drawn {
    const context = this.#context;
    const { strings } = context;
    const { state } = this.queue;
    const { cases, current } = this;
    const heading = strings.text('mod.queue');
    this.#shown = current && { key: current.key, at: indexIn(cases, current) };
    const list = (
      <>
        <div class="bar">
          <h2 tabIndex={-1}>
            <span>{heading}</span>
            {cases.length > 0 && <small>{strings.number(cases.length)}</small>}
          </h2>
          {cases.length > 0 && (
            <button
              type="button"
              class="icon"
              aria-label={strings.text('mod.sort')}
              aria-expanded={this.#sorting}
              onClick={this.#turnSorting}
            >
              <Icon name="settings" />
            </button>
          )}
        </div>
        {this.#sorting && cases.length > 0 && this.#sort()}
        {this.#kinds()}
        <RovingList
          items=".case"
          label={heading}
          preferred=".case[aria-current]"
          noLetters
          busy={state === 'loading'}
          element={this.#list}
        >
          {cases.length === 0 ? (
            this.#none()
          ) : (
            <ul class="cases">
              {cases.slice(0, DRAWN).map((one) => (
                <CaseRow
                  key={one.key}
                  context={context}
                  one={one}
                  current={one.key === current?.key}
                  open={() => this.#open(one)}
                />
              ))}
              {cases.length > DRAWN && (
                <li class="note">{strings.text('people.more', { n: cases.length - DRAWN })}</li>
              )}
            </ul>
          )}
        </RovingList>
        <KeyHints context={context} open={this.#openKeys} />
      </>
    );
    return {
      list,
      label:
        current === undefined
          ? heading
          : strings.text('mod.about', { name: strings.name(subjectOf(current).user) }),
      detail: current && (
        <CaseDetail key={current.key} context={context} one={current} actions={this.#actions(current)} />
      ),
    };
  }

  /** Handles a shortcut. Returns false if the shortcut has no action here. */
  key(key: string): boolean {
    if (key === 'z') return this.#undo();
    if (key === 'j' || key === 'k') return this.#step(key === 'j' ? 1 : -1);
    const { current } = this;
    const action =
      current &&
      this.#actions(current)
        .flat()
        .find((one) => one.key.toLowerCase() === key);
    action?.run();
    return action !== undefined;
  }

  /** The cases of the chosen room and kind. */
  get cases(): Case[] {
    const cases = this.#inRoom;
    const kind = cases.some((one) => one.kind === this.#kind) ? this.#kind : 'all';
    return kind === 'all' ? cases : cases.filter((one) => one.kind === kind);
  }

  /** The cases of the chosen room, or all cases if that room has none. */
  get #inRoom(): Case[] {
    const { cases } = this.queue;
    const here = cases.filter((one) => subjectOf(one).room === this.#room);
    return here.length > 0 ? here : cases;
  }

  readonly #turnSorting = () => {
    this.#sorting = !this.#sorting;
    // Without the visible choice of a room, the moderator would overlook the cases of other rooms.
    this.#room = '';
    this.#context.changed();
  };

  #sort() {
    const { strings, changed } = this.#context;
    const rooms = new Set(this.queue.cases.map((one) => subjectOf(one).room));
    const named = [...rooms].map((room) => [room, roomName(room, this.#context)] as const);
    return (
      <div class="tools-row">
        <Choice<Order>
          label={strings.text('mod.order')}
          chosen={this.queue.order}
          options={orders.map((order) => [order, strings.text(`mod.sort.${order}`)])}
          choose={(order) => {
            this.queue.order = order;
            changed();
          }}
        />
        <Choice
          label={strings.text('mod.rooms.room')}
          chosen={rooms.has(this.#room) ? this.#room : ''}
          options={[
            ['', strings.text('search.all')],
            ...named.sort(([, a], [, b]) => a.localeCompare(b, strings.locale)),
          ]}
          choose={(room) => {
            this.#room = room;
            changed();
          }}
        />
      </div>
    );
  }

  /** The choice of a kind, if there are cases of both kinds. */
  #kinds() {
    const { strings, changed } = this.#context;
    const all = this.#inRoom;
    const held = all.filter(({ kind }) => kind === 'held').length;
    const counts = { all: all.length, reported: all.length - held, held };
    if (counts.reported === 0 || held === 0) return undefined;
    return (
      <Segments
        label={strings.text('mod.queue')}
        chosen={this.#kind}
        options={(['all', 'reported', 'held'] as const).map((kind) => [
          kind,
          strings.text(`mod.kind.${kind}`, { n: counts[kind] }),
        ])}
        choose={(kind) => {
          this.#kind = kind;
          changed();
        }}
      />
    );
  }

  #none() {
    const { strings } = this.#context;
    const { state } = this.queue;
    if (state === 'loading') return <ListToCome />;
    if (state === 'failed')
      return (
        <Failed
          context={this.#context}
          title={strings.text('mod.error.title')}
          again={() => {
            void this.queue.load();
            this.#context.changed();
          }}
        />
      );
    const n = this.queue.decidedToday;
    const text = n === 0 ? strings.text('mod.empty.text') : strings.text('mod.empty.decided', { n });
    return <AllClear title={strings.text('mod.empty.title')} text={text} />;
  }

  #actions(one: Case): [CaseAction[], CaseAction[]] {
    const { strings } = this.#context;
    const all = [one, ...this.#others(one)];
    const onMessage: CaseAction[] =
      one.kind === 'held'
        ? [
            {
              picture: 'check',
              label: strings.text('held.approve'),
              key: 'A',
              kind: 'primary',
              run: () => this.#decide(one, { done: 'approved' }, strings.text('mod.approved')),
            },
            {
              picture: 'delete',
              label: `${strings.text('held.reject')}…`,
              key: 'D',
              kind: 'bad',
              run: () => this.#reject(one),
            },
          ]
        : [
            {
              picture: 'delete',
              label: strings.text('action.delete'),
              key: 'D',
              kind: 'danger',
              run: () => this.#delete(one),
            },
            ...(all.length > 1
              ? [
                  {
                    picture: 'delete' as const,
                    label: strings.text('mod.deleteAll', { n: all.length }),
                    key: 'X',
                    kind: 'bad' as const,
                    run: () => this.#delete(one, all),
                  },
                ]
              : []),
            {
              picture: 'check',
              label: strings.text('delete.keep'),
              key: 'A',
              run: () => this.#decide(one, { done: 'nothing' }, strings.text('mod.kept')),
            },
          ];
    const restrict = (how: 'mute' | 'ban'): CaseAction => ({
      picture: how === 'mute' ? 'muted' : 'ban',
      label: strings.text(`${how}.action`),
      key: how === 'mute' ? 'M' : 'B',
      kind: how === 'ban' ? 'bad' : undefined,
      run: () => this.#restrict(one, how),
    });
    const ways = (['mute', 'ban'] as const).filter((how) => this.#places(one, how).length > 0);
    return [onMessage, ways.map(restrict)];
  }

  /** The other reported messages of the author. */
  #others(one: Case): Case[] {
    const { user } = subjectOf(one);
    return this.queue.cases.filter(
      (other) => other.kind === 'reported' && other.key !== one.key && subjectOf(other).user.id === user.id,
    );
  }

  #delete(one: Case & { kind: 'reported' }, all: readonly Case[] = [one]): void {
    const { strings } = this.#context;
    const name = strings.name(subjectOf(one).user);
    const reason = toldReason(one.reports, strings);
    const told = reason === undefined ? '' : ` ${strings.text('mod.toldReason', { name })}`;
    const words = strings.count('mod.deleted', all.length) + told;
    this.#decide(one, { done: 'deleted', reason }, words, all);
  }

  #reject(one: Case & { kind: 'held' }): void {
    const { strings, dialog } = this.#context;
    const name = strings.name(one.held.user);
    dialog((close) => (
      <Reject
        context={this.#context}
        title={strings.text('mod.rejectTitle')}
        name={name}
        submit={(reason) => {
          close();
          this.#decide(
            one,
            { done: 'rejected', reason: reason || undefined },
            strings.text('mod.rejected', { name }),
          );
        }}
        close={close}
      />
    ));
  }

  #decide(one: Case, decision: Decision, words: string, all: readonly Case[] = [one]): void {
    const { strings, toast } = this.#context;
    this.#leave(one, () => this.queue.decide(all, decision));
    toast(words, 'good', {
      label: strings.text('common.undo'),
      until: performance.now() + UNDO_MS,
      run: () => this.#undo(),
    });
  }

  #restrict(one: Case, how: 'mute' | 'ban'): void {
    const { strings, dialog, toast } = this.#context;
    const { user } = subjectOf(one);
    const name = strings.name(user);
    dialog((close) => (
      <RestrictPerson
        context={this.#context}
        how={how}
        user={subjectOf(one).user.id}
        name={name}
        places={this.#places(one, how)}
        run={async (room, restriction) => {
          const ours = await this.#lay(one, how, room, restriction);
          this.#leave(one, () => {});
          if (ours) toast(strings.text(how === 'mute' ? 'mute.done' : 'ban.done', { name }), 'good');
        }}
        close={close}
      />
    ));
  }

  /**
   * Returns where the author can be restricted; undefined is the whole site, which is first if messages in several rooms
   * were reported. Direct rooms have no restrictions. Only a user with a role for the whole site may ban from it.
   */
  #places(one: Case, how: 'mute' | 'ban'): (RestrictedRoom | undefined)[] {
    const { room } = subjectOf(one);
    const here = isDirect(room) ? [] : [{ id: room, name: roomName(room, this.#context) }];
    const site = how === 'ban' && this.#context.chat.can.people ? [undefined] : [];
    const isWide = this.#others(one).some((other) => subjectOf(other).room !== room);
    return isWide ? [...site, ...here] : [...here, ...site];
  }

  async #lay(
    one: Case,
    how: 'mute' | 'ban',
    room: string | undefined,
    restriction: Restriction & { messages?: 'delete' },
  ): Promise<boolean> {
    const { chat } = this.#context;
    const { user } = subjectOf(one);
    if (one.kind === 'reported' && room !== undefined)
      return this.queue.send(one, { done: how === 'mute' ? 'muted' : 'banned', ...restriction });
    if (room === undefined) await chat.request('moderate:ban', { user: user.id, ...restriction });
    else await chat.request(`room:${how}`, { room, user: user.id, ...restriction });
    const { reason } = restriction;
    const done = one.kind === 'held' ? 'rejected' : 'deleted';
    return this.queue.send(one, { done, reason });
  }

  #undo(): boolean {
    const one = this.queue.undo();
    if (one === undefined) return false;
    const { strings, toast, say, focusDetail } = this.#context;
    this.#open(one, 'instead');
    toast(strings.text('mod.undone'), 'good');
    say(strings.text('mod.undone'));
    focusDetail();
    return true;
  }

  #open(one: Case, how?: 'instead'): void {
    const { wide, go, focusDetail } = this.#context;
    go({ section: 'queue', id: one.key }, wide() ? 'instead' : how);
    if (!wide()) focusDetail();
  }

  #step(by: 1 | -1): boolean {
    const { cases, current } = this;
    const next = cases[current === undefined ? 0 : indexIn(cases, current) + by];
    if (next === undefined) return false;
    this.#open(next, 'instead');
    this.#context.focusDetail();
    return true;
  }

  /** Goes from a decided case to the next case. */
  #leave(one: Case, decide: () => void): void {
    const { strings, go, say, focusDetail } = this.#context;
    const before = indexIn(this.cases, one);
    const at = before === -1 ? (this.#shown?.at ?? 0) : before;
    decide();
    const { cases } = this;
    const next = cases[at] ?? cases.at(-1);
    go({ section: 'queue', id: next?.key }, 'instead');
    focusDetail();
    say(
      next === undefined
        ? strings.text('mod.empty.title')
        : strings.text('mod.next', { name: strings.name(subjectOf(next).user), n: cases.length }),
    );
  }

  #meanwhile(one: Case, by: User, done: Decision['done'], late: boolean): void {
    const { strings, toast, place } = this.#context;
    const shown = place().section === 'queue' && this.#shown?.key === one.key;
    if (!late && !shown) return;
    const what = strings.text(`mod.done.${done}`);
    toast(strings.text('mod.meanwhile', { name: strings.name(by), what }), 'good');
  }

  #refused(one: Case, decision: Decision, error: RequestError): void {
    const { strings, toast } = this.#context;
    // The message was deleted, perhaps with its room.
    if (error.code === 'unknown_message') return void this.queue.load();
    toast(refusal(error, strings), 'bad', {
      label: strings.text('common.again'),
      run: () => {
        this.queue.decide([one], decision);
        this.queue.flush();
      },
    });
  }
}

/** Finds a case by its key, because the queue creates new objects each time. */
const indexIn = (cases: readonly Case[], { key }: Case) => cases.findIndex((one) => one.key === key);
