/** The data of `notify.due`, as docs/api.md describes it. */
export interface Due {
  user: { id: string; name: string };
  total: number;
  lang?: string;
  link?: string;
  stop?: string;
  rooms: {
    room: string;
    kind: string;
    name?: string;
    peer?: string;
    link?: string;
    unread: number;
    mentions: number;
    userText: string[];
    accepted: boolean;
  }[];
}
