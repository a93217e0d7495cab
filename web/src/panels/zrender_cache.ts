// ZRender caches the widths of texts in plain objects. A text that is the name of a member of Object.prototype
// ("__proto__", "constructor") would find that member there and be linked into the cache's list, which breaks every
// chart of the page. With a character before each key no text can.
import LRU from "zrender/lib/core/LRU.js";

const { get, put } = LRU.prototype;
LRU.prototype.get = function (key) {
  return get.call(this, "=" + key);
};
LRU.prototype.put = function (key, value) {
  return put.call(this, "=" + key, value);
};
