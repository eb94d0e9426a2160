// The last script of a page that has scripts of its own: all of them have run.
document.documentElement.dataset.ready = "";
