/** What the build puts in: the version of the data that the bundle was made for. */
declare const DATA_VERSION: string;

interface Window {
  /** Made by `_static/live.js`: the data scripts fill `data`, the figures fill `compute`. */
  recbookLive: { data: Record<string, any>; compute: Record<string, any> };
}
