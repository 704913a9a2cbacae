import { sql } from '../engine/dialect.ts';
import { findRows, type ReadsOf } from '../engine/read.ts';
import { type Nothing, type Rule, refuse } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { table } from '../engine/table.ts';
import { rows } from '../engine/work.ts';

/** Maximum snippets of a team. */
export const mostSnippets = 200;

interface StoredSnippet {
  team: string;
  name: string;
  text: string;
  /** When it was written, as Unix ms. */
  at: number;
}

export interface SnippetWrites {
  /** Stores a text of the team. An empty text deletes it. Codes: `limit_reached`. */
  setSnippet: { in: StoredSnippet; out: Nothing };
}

export interface SnippetReads {
  /** The texts of a team, by name. */
  snippets: { in: { team: string }; out: StoredSnippet[] };
}

const snippets = table<StoredSnippet>('chat_snippets', ['team', 'name'], {
  team: 'team',
  name: 'name',
  text: 'text',
  at: 'at',
});

const setSnippet: Rule<SnippetWrites['setSnippet']> = {
  adds: true,
  needs: ({ team }) => [rows(snippets, { team })],
  run(work, snippet) {
    const { team, name, text } = snippet;
    const all = work.find(snippets, { team });
    const isNew = all.every((one) => one.name !== name);
    if (text === '') {
      if (!isNew) work.remove(snippets, { team, name });
      return {};
    }
    if (isNew && all.length >= mostSnippets) refuse('limit_reached');
    work.put(snippets, snippet);
    return {};
  },
};

const reads: ReadsOf<SnippetReads> = {
  snippets: (_, { team }) => findRows(snippets, sql`WHERE team = ${team} ORDER BY name`),
};

export const snippetSubject = subject<SnippetWrites, SnippetReads>({
  tables: [snippets],
  rules: { setSnippet },
  reads,
});
