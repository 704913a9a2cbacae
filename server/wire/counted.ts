/** Up to so many the server counts people, and messages, reports, files and reactions of a person. */
export const mostCounted = 10_000;

/** The most rooms of a person, and reports about one, that the server lists. */
export const mostRooms = 200;
export const mostReports = 50;
