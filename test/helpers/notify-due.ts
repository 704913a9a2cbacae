/** The data of `notify.due`, as docs/api.md describes it. */
export interface Due {
  user: { id: string; name: string };
  total: number;
  lang?: string;
  rooms: {
    room: string;
    name?: string;
    unread: number;
    mentions: number;
    userText: string[];
    accepted: boolean;
  }[];
}
