import { createRef } from 'preact';
import { mostCounted } from '../../../server/wire/counted.ts';
import type { Answers } from '../../../server/wire/events.ts';
import { composes } from '../text/keys.ts';
import { Empty } from '../views/controls/empty.tsx';
import { FilterField } from '../views/controls/filter-field.tsx';
import { RovingList } from '../views/controls/roving-list.tsx';
import { Avatar } from '../views/people/avatar.tsx';
import type { DeskContext } from './desk-context.ts';
import { counted } from './mod-words.ts';
import { Failed, ListToCome, RestFailed } from './nothing.tsx';
import { Pages } from './pages.ts';
import type { Drawn, Part } from './part.ts';
import { PersonDetail } from './person-detail.tsx';

type Listed = Answers['moderate:people']['people'][number];

/** The delay after the last keystroke before a search is sent. */
const PAUSE_MS = 250;

/** The list of all users who have ever been here, and the chosen user. */
export class PeoplePage implements Part {
  readonly #context: DeskContext;
  readonly #people: Pages<Listed>;
  readonly #list = createRef<HTMLDivElement>();
  readonly #field = createRef<HTMLInputElement>();
  #query = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: DeskContext) {
    const { chat, changed } = context;
    this.#context = context;
    this.#people = new Pages(
      chat,
      async (cursor) => {
        const query = this.#query.trim();
        const answer = await chat.request('moderate:people', {
          query: query || undefined,
          ...cursor,
        });
        return [answer.people, answer.next, answer.all];
      },
      changed,
    );
  }

  open(): void {
    void this.#people.load();
  }

  ready(): void {
    void this.#people.load();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#query = '';
    this.#people.clear();
  }

  find(): void {
    this.#field.current?.focus();
  }

  draw(): Drawn {
    const { strings, place } = this.#context;
    const { id } = place();
    const heading = strings.text('people.title');
    return {
      label: strings.text('mod.aboutPerson'),
      list: (
        <>
          <div class="bar">
            <h2 tabIndex={-1}>
              <span>{heading}</span>
              <small>{this.#count()}</small>
            </h2>
          </div>
          <FilterField
            label={strings.text('mod.find')}
            query={this.#query}
            field={this.#field}
            typed={this.#typed}
            pressed={this.#pressed}
          />
          <RovingList
            items=".person"
            label={heading}
            preferred=".person[aria-current]"
            noLetters
            busy={this.#people.state === 'loading'}
            element={this.#list}
          >
            {this.#rows(id)}
          </RovingList>
        </>
      ),
      detail: id !== undefined && (
        <PersonDetail key={id} context={this.#context} id={id} acted={() => void this.#people.load()} />
      ),
      blank: <Empty picture="people" title={heading} text={strings.text('empty.none.text')} />,
    };
  }

  #rows(chosen: string | undefined) {
    const { strings, go } = this.#context;
    const { items, state, next } = this.#people;
    if (state === 'loading') return <ListToCome />;
    if (state === 'failed' && items.length === 0)
      return (
        <Failed
          context={this.#context}
          title={strings.text('details.error')}
          again={() => void this.#people.load()}
        />
      );
    if (items.length === 0)
      return (
        <Empty
          picture="people"
          title={strings.text('search.none.title')}
          text={strings.text('rooms.filterNone', { q: this.#query.trim() })}
        />
      );
    const failure = state === 'failed' && (
      <RestFailed context={this.#context} again={() => void this.#people.again()} />
    );
    return (
      <>
        {next === undefined && failure}
        <ul class="cases">
          {items.map((one) => (
            <li key={one.user.id}>
              <button
                type="button"
                class="person"
                tabIndex={-1}
                aria-current={one.user.id === chosen || undefined}
                data-key={one.user.id}
                onClick={() => go({ section: 'people', id: one.user.id })}
              >
                <Avatar user={one.user} kind={one.here ? 'here' : ''} />
                <span class="name">
                  <bdi>{strings.name(one.user)}</bdi>
                  {one.here && <span class="vh">, {strings.text('rooms.here')}</span>}
                </span>
                <small>{this.#notes(one)}</small>
              </button>
            </li>
          ))}
        </ul>
        {next !== undefined && failure}
        {next !== undefined && state !== 'failed' && (
          <div class="foot">
            <button type="button" class="btn" onClick={() => void this.#people.more()}>
              {strings.text('msg.showMore')}
            </button>
          </div>
        )}
      </>
    );
  }

  /** Returns how many users have ever been here. */
  #count(): string | undefined {
    const { strings } = this.#context;
    const { all, state } = this.#people;
    if (all !== undefined) return strings.number(all);
    return state === 'here' ? counted(mostCounted, strings) : undefined;
  }

  /** Returns the numbers of a user's open reports and restrictions. */
  #notes({ reports, restricted }: Listed): string {
    const { strings } = this.#context;
    return strings.list([
      reports > 0 && strings.count('mod.reports', reports),
      restricted > 0 && strings.count('mod.restrictions', restricted),
    ]);
  }

  readonly #typed = (query: string) => {
    this.#query = query;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#people.load(), PAUSE_MS);
    this.#context.changed();
  };

  readonly #pressed = (event: KeyboardEvent) => {
    if (composes(event)) return;
    if (event.key === 'Escape' && this.#query !== '') this.#typed('');
    else if (event.key === 'ArrowDown')
      this.#list.current?.querySelector<HTMLElement>('.person[tabindex="0"]')?.focus();
    else return;
    event.preventDefault();
  };
}
