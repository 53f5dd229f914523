// SPDX-License-Identifier: Apache-2.0
// One row per instant, one column per channel. The delimiter, a header, times and decimal commas are told by the first
// lines; from then on every row must look the same.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <limits>

#include "base/numbers.h"
#include "recording/decoders.h"
#include "recording/time_text.h"

namespace millwright::recording {
namespace {

constexpr size_t kMaxColumns = 4096;
constexpr size_t kMaxStamps = 10'000;  // enough to tell the rate
// A rate out of time stamps is an estimate: logged times are rounded.
constexpr double kStampTolerance = 0.05;

struct Table {
  char delimiter = ',';
  std::vector<std::string> names;  // of all columns; empty without a header
  size_t columns = 0;
  size_t first_line = 0;               // of the first row of numbers
  std::vector<int> channel_of_column;  // -1: left out
  size_t channels = 0;
  std::optional<size_t> time_column;
  double time_unit_s = 0.0;  // of numbers; 0: the column holds texts
  std::vector<std::string> notes;
};

// Cells of one line; the views point into the line. Quotes around a cell are removed; they may hold delimiters.
Status split(std::string_view line, char delimiter, std::vector<std::string_view>& cells) {
  cells.clear();
  while (true) {
    if (cells.size() == kMaxColumns) return fail(ErrorCode::kTooLarge, "more than {} columns", kMaxColumns);
    std::string_view cell;
    size_t end = line.find(delimiter);
    const size_t start = line.find_first_not_of(' ');
    if (start != std::string_view::npos && line[start] == '"') {
      const size_t close = line.find('"', start + 1);
      if (close == std::string_view::npos) {
        return fail(ErrorCode::kInvalidInput, "column {}: a quote is not closed", cells.size() + 1);
      }
      cell = line.substr(start + 1, close - start - 1);
      end = line.find(delimiter, close);
      const std::string_view behind = line.substr(close + 1, end == std::string_view::npos ? end : end - close - 1);
      if (!trim(behind).empty()) {
        return fail(ErrorCode::kInvalidInput, "column {}: something stands behind its closing quote", cells.size() + 1);
      }
    } else {
      cell = line.substr(0, end);
    }
    cells.push_back(trim(cell));
    if (end == std::string_view::npos) return {};
    line.remove_prefix(end + 1);
  }
}

char find_delimiter(std::string_view line) {
  for (const char c : {';', '\t', ','}) {
    if (line.find(c) != std::string_view::npos) return c;
  }
  return ',';
}

// A missing value is NaN: what a sensor that dropped out means, and what find_not_finite() then names.
std::optional<double> parse_cell(std::string_view cell, char delimiter) {
  if (cell.empty()) return std::numeric_limits<double>::quiet_NaN();
  if (delimiter != ',' && cell.find('.') == std::string_view::npos) {
    if (const size_t comma = cell.find(','); comma != std::string_view::npos) {
      constexpr size_t kMaxNumberBytes = 64;
      std::array<char, kMaxNumberBytes> text{};
      if (cell.size() > text.size()) return std::nullopt;
      std::ranges::copy(cell, text.begin());
      text[comma] = '.';
      return parse_double({text.data(), cell.size()});
    }
  }
  return parse_double(cell);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string name_of(const Table& table, size_t column) {
  return table.names.empty() ? fmt::format("{}", column + 1) : table.names[column];
}

bool looks_like_header(const std::vector<std::string_view>& cells, char delimiter) {
  return std::ranges::any_of(
      cells, [&](std::string_view cell) { return !parse_cell(cell, delimiter) && !parse_time_text(cell); });
}

bool is_row_index(const Table& table, size_t column) {
  if (column != 0 || table.names.empty() || table.columns < 2) return false;
  const std::string name = lower(table.names[0]);
  return name.empty() || name == "index" || name.starts_with("unnamed:");
}

bool is_label(std::string_view name) {
  constexpr std::array<std::string_view, 6> kLabels = {"anomaly", "changepoint", "label", "labels", "class", "target"};
  return std::ranges::find(kLabels, lower(name)) != kLabels.end();
}

// The columns that `wanted` names, or which of its names is not there.
Result<std::vector<bool>> columns_named(const Table& table, const std::vector<std::string>& wanted) {
  std::vector<bool> chosen(table.columns, false);
  for (const std::string& name : wanted) {
    size_t column = 0;
    while (column < table.columns && name_of(table, column) != name) ++column;
    if (column == table.columns) {
      std::string there;
      for (size_t c = 0; c < table.columns && there.size() < 400; ++c) {
        there += (c == 0 ? "" : ", ") + in_quotes(name_of(table, c));
      }
      return fail(ErrorCode::kInvalidInput, "no column {}; there are {}", in_quotes(name), there);
    }
    chosen[column] = true;
  }
  return chosen;
}

// Decides from the first row of numbers which columns are times.
void find_times(Table& table, const std::vector<std::string_view>& row, std::vector<bool>& is_time) {
  is_time.assign(table.columns, false);
  for (size_t c = 0; c < table.columns; ++c) {
    double unit = 0.0;
    if (const auto number = parse_cell(row[c], table.delimiter)) {
      if (table.names.empty()) continue;
      const auto named = time_unit_s(table.names[c], *number);
      if (!named) continue;
      unit = *named;
    } else if (!parse_time_text(row[c])) {
      continue;
    }
    is_time[c] = true;
    // A date beside a time of day does not tell the rate.
    const bool date_alone = unit == 0.0 && row[c].find(':') == std::string_view::npos;
    if (!table.time_column && !date_alone) {
      table.time_column = c;
      table.time_unit_s = unit;
    }
  }
}

Status choose_channels(Table& table, const std::vector<bool>& is_time, const ReadOptions& options) {
  const std::vector<bool> wanted = MW_TRY(columns_named(table, options.columns));
  const std::vector<bool> skipped = MW_TRY(columns_named(table, options.skip_columns));
  table.channel_of_column.assign(table.columns, -1);
  std::string labels;
  for (size_t c = 0; c < table.columns; ++c) {
    if (skipped[c] || (!options.columns.empty() && !wanted[c])) continue;
    if (options.columns.empty() && is_time[c]) continue;
    if (options.columns.empty() && is_row_index(table, c)) {
      table.notes.push_back(
          fmt::format("column {} is taken for a row index and left out", in_quotes(name_of(table, c))));
      continue;
    }
    if (options.columns.empty() && is_label(name_of(table, c))) {
      labels += (labels.empty() ? "" : ", ") + in_quotes(name_of(table, c));
    }
    table.channel_of_column[c] = static_cast<int>(table.channels++);
  }
  if (!labels.empty()) {
    table.notes.push_back(
        fmt::format("{} may be labels and are read as channels; skip them to leave them out", labels));
  }
  if (table.channels == 0) return fail(ErrorCode::kInvalidInput, "no column is left to be a channel");
  return check_extent(1, table.channels, 1);
}

// Blank lines and comments may stand before the table only, so that line numbers follow from row numbers.
Result<std::optional<std::string_view>> first_content(LineReader& lines) {
  while (true) {
    std::optional<std::string_view> line = MW_TRY(lines.next());
    if (!line) return line;
    if (lines.line() == 1 && line->starts_with("\xef\xbb\xbf")) line->remove_prefix(3);
    if (lines.line() == 1 && (line->starts_with("\xff\xfe") || line->starts_with("\xfe\xff"))) {
      return fail(ErrorCode::kUnsupported, "UTF-16 text; save the table as UTF-8");
    }
    if (!trim(*line).empty() && !line->starts_with('#')) return line;
  }
}

// "line 3, column 2: ..." or "line 3: ...".
std::unexpected<Error> at_line(Error error, size_t line) {
  const bool has_column = error.message.starts_with("column ");
  error.message.insert(0, fmt::format("line {}{} ", line, has_column ? ',' : ':'));
  return std::unexpected(std::move(error));
}

// Reads up to the first row of numbers, whose cells are left in `row` with their text in `text`.
Result<Table> read_layout(LineReader& lines, const ReadOptions& options, std::string& text,
                          std::vector<std::string_view>& row) {
  const std::optional<std::string_view> first = MW_TRY(first_content(lines));
  if (!first) return fail(ErrorCode::kInvalidInput, "holds no rows");
  Table table;
  table.delimiter = find_delimiter(*first);
  text = *first;
  if (Status status = split(text, table.delimiter, row); !status)
    return at_line(std::move(status).error(), lines.line());
  if (looks_like_header(row, table.delimiter)) {
    table.names.assign(row.begin(), row.end());
    const std::optional<std::string_view> second = MW_TRY(first_content(lines));
    if (!second) return fail(ErrorCode::kInvalidInput, "holds a header and no rows");
    text = *second;
    if (Status status = split(text, table.delimiter, row); !status)
      return at_line(std::move(status).error(), lines.line());
    if (row.size() != table.names.size()) {
      return fail(ErrorCode::kInvalidInput, "line {}: {} columns, the header has {}", lines.line(), row.size(),
                  table.names.size());
    }
  }
  table.columns = row.size();
  table.first_line = lines.line();
  std::vector<bool> is_time;
  find_times(table, row, is_time);
  MW_CHECK_OK(choose_channels(table, is_time, options));
  return table;
}

// Rows go straight into planar memory of `capacity` samples per channel.
class RowReader {
 public:
  RowReader(const Table& table, uint64_t capacity, double scale) : table_(table), capacity_(capacity), scale_(scale) {
    samples_.resize(table.channels * capacity);
  }

  Status add(const std::vector<std::string_view>& cells) {
    if (cells.size() != table_.columns) {
      return fail(ErrorCode::kInvalidInput, "{} columns, the rows before have {}", cells.size(), table_.columns);
    }
    if (rows_ == capacity_) return fail(ErrorCode::kCorrupt, "the file grew while it was read");
    for (size_t c = 0; c < cells.size(); ++c) {
      const int channel = table_.channel_of_column[c];
      if (channel < 0) continue;
      const std::optional<double> value = parse_cell(cells[c], table_.delimiter);
      if (!value) {
        return fail(ErrorCode::kInvalidInput, "column {}{}: {} is not a number", c + 1,
                    table_.names.empty() ? "" : fmt::format(" ({})", in_quotes(table_.names[c])), in_quotes(cells[c]));
      }
      samples_[static_cast<size_t>(channel) * capacity_ + rows_] = static_cast<float>(*value * scale_);
    }
    if (table_.time_column && rows_ < kMaxStamps) add_stamp(cells[*table_.time_column]);
    ++rows_;
    return {};
  }

  [[nodiscard]] std::span<const double> stamps() const { return stamps_; }
  [[nodiscard]] size_t rows() const { return rows_; }

  // Closes the gaps between the channels.
  std::vector<float> finish() {
    for (size_t c = 1; c < table_.channels && rows_ < capacity_; ++c) {
      const auto from = samples_.begin() + static_cast<ptrdiff_t>(c * capacity_);
      std::copy_n(from, rows_, samples_.begin() + static_cast<ptrdiff_t>(c * rows_));
    }
    samples_.resize(table_.channels * rows_);
    return std::move(samples_);
  }

 private:
  // Counted from the first, because an epoch in nanoseconds is beyond what a double resolves.
  void add_stamp(std::string_view cell) {
    const bool is_number = table_.time_unit_s > 0.0;
    const std::optional<double> stamp = is_number ? parse_cell(cell, table_.delimiter) : parse_time_text(cell);
    if (rows_ == 0) first_stamp_ = stamp.value_or(0.0);
    stamps_.push_back((stamp.value_or(std::nan("")) - first_stamp_) * (is_number ? table_.time_unit_s : 1.0));
  }

  const Table& table_;
  size_t capacity_;
  double scale_;
  size_t rows_ = 0;
  std::vector<float> samples_;
  std::vector<double> stamps_;
  double first_stamp_ = 0.0;
};

Status read_rows(LineReader& lines, const Table& table, std::vector<std::string_view>& cells, RowReader& rows) {
  bool blank = false;
  while (true) {
    if (!blank) {
      if (Status status = rows.add(cells); !status) return at_line(std::move(status).error(), lines.line());
    }
    const std::optional<std::string_view> line = MW_TRY(lines.next());
    if (!line) return {};
    if (trim(*line).empty()) {
      blank = true;  // allowed at the end only
      continue;
    }
    if (blank) return fail(ErrorCode::kInvalidInput, "line {}: empty, and rows follow", lines.line() - 1);
    if (Status status = split(*line, table.delimiter, cells); !status) {
      return at_line(std::move(status).error(), lines.line());
    }
  }
}

void note_times(const Table& table, const RowReader& rows, double rate_hz, std::vector<std::string>& notes) {
  if (!table.time_column) return;
  const std::string column = in_quotes(name_of(table, *table.time_column));
  if (rate_hz == 0.0 && rows.rows() > 1) {
    notes.push_back(
        fmt::format("column {} does not tell the rate: a time is missing, unreadable or goes back", column));
  } else if (is_uneven(rows.stamps(), rate_hz)) {
    notes.push_back(fmt::format("column {} has uneven steps; read as evenly sampled at {} Hz", column, rate_hz));
  }
}

}  // namespace

Result<Recording> decode_csv(ByteSource& source, const ReadOptions& options) {
  const uint64_t line_feeds = MW_TRY(count_line_feeds(source));
  LineReader lines(source);
  std::string text;
  std::vector<std::string_view> cells;
  const Table table = MW_TRY(read_layout(lines, options, text, cells));

  // A row has a delimiter or an end for each of its columns, which bounds the rows that the rest can hold.
  const uint64_t capacity = std::min(line_feeds + 1, source.size() / table.columns + 1);
  MW_CHECK_OK(check_extent(1, table.channels, capacity));
  RowReader rows(table, capacity, options.scale);
  MW_CHECK_OK(read_rows(lines, table, cells, rows));

  Recording recording;
  const double rate_hz = rate_of(rows.stamps());
  recording.rate_hz = MW_TRY(agree_on_rate(rate_hz, options, kStampTolerance));
  recording.channels = table.channels;
  recording.length = rows.rows();
  recording.first_line = table.first_line;
  recording.notes = table.notes;
  note_times(table, rows, rate_hz, recording.notes);
  for (size_t c = 0; c < table.columns && !table.names.empty(); ++c) {
    if (table.channel_of_column[c] >= 0) recording.channel_names.push_back(table.names[c]);
  }
  recording.samples = rows.finish();
  return recording;
}

}  // namespace millwright::recording
