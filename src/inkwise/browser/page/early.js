// Say why the page does not start. Browsers of any age must understand this script, so it is
// written as ten years ago.

(function () {
  var page = document.documentElement;
  var say = function (why) {
    if (page.getAttribute("data-stopped") !== null) return;
    page.setAttribute("data-stopped", why);
    var told = function () {
      var words = JSON.parse(document.getElementById("words").textContent);
      var trouble = document.getElementById("trouble");
      trouble.textContent = words.stopped[why];
      trouble.hidden = false;
    };
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", told);
    else told();
  };
  // Of all that the page needs of a browser, this is the youngest.
  if (!window.AbortSignal || !AbortSignal.timeout) say("old");
  var failed = function () {
    if (page.getAttribute("data-started") === null) say(location.protocol === "file:" ? "disk" : "incomplete");
  };
  window.addEventListener("error", failed, true);
})();
