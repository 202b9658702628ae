#include "eval/data/parquet.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <parquet/schema.h>

#include <map>
#include <mutex>
#include <new>

#include "core/check.h"
#include "text/utf8.h"

namespace vl3::eval {
namespace {

// Of Arrow's buffers of one file together: what a broken or hostile file may claim.
constexpr int64_t kMaxBytes = 2ll << 30;
// Past this, the pictures read so far make room for the next column.
constexpr int64_t kMaxCachedBytes = 256ll << 20;
// About what a row or a value takes beside its text.
constexpr uint64_t kValueBytes = 64;
constexpr int kMaxNesting = 32;

ErrorCode code_of(const arrow::Status& status) {
  if (status.IsOutOfMemory() || status.IsCapacityError()) return ErrorCode::kResourceExhausted;
  return status.IsNotImplemented() ? ErrorCode::kUnsupported : ErrorCode::kCorrupt;
}

void check(const arrow::Status& status, const std::string& name) {
  if (!status.ok()) throw Error(code_of(status), fmt::format("{}: {}", name, status.message()));
}

template <typename T>
T value_of(arrow::Result<T> result, const std::string& name) {
  check(result.status(), name);
  return std::move(result).ValueUnsafe();
}

/// Arrow's exceptions as ours.
template <typename Action>
auto translated(const std::string& name, Action&& action) {
  try {
    return action();
  } catch (const parquet::ParquetException& error) {
    VL3_FAIL(kCorrupt, "{}: {}", name, error.what());
  } catch (const std::bad_alloc&) {
    VL3_FAIL(kResourceExhausted, "{}: needs more than {} bytes to be read", name, kMaxBytes);
  }
}

/// Whether the leaf holds the pictures of a {bytes, path} column.
bool is_picture(const parquet::ColumnDescriptor& leaf) {
  return leaf.path()->ToDotVector().size() == 2 && leaf.name() == "bytes" &&
         leaf.physical_type() == parquet::Type::BYTE_ARRAY;
}

/// Cells as JSON, all of one file together within a number of bytes.
class CellReader {
 public:
  CellReader(const std::string& name, uint64_t max_bytes)
      : name_(name), max_bytes_(max_bytes), left_(max_bytes) {}

  /// Before they are taken: some kilobytes of a file can stand for gigabytes.
  void count(uint64_t values, uint64_t bytes_each) {
    VL3_CHECK(values <= left_ / bytes_each, kResourceExhausted, "{}: its rows take more than {} bytes", name_,
              max_bytes_);
    left_ -= values * bytes_each;
  }

  Json cell(const arrow::Array& array, int64_t i, int depth = 0) {
    VL3_CHECK(depth <= kMaxNesting, kCorrupt, "{}: nested deeper than {}", name_, kMaxNesting);
    count(1, kValueBytes);
    if (array.IsNull(i)) return nullptr;
    switch (array.type_id()) {
      case arrow::Type::BOOL:
        return static_cast<const arrow::BooleanArray&>(array).Value(i);
      case arrow::Type::STRING:
      case arrow::Type::BINARY:
        return text(static_cast<const arrow::BinaryArray&>(array).GetView(i), *array.type());
      case arrow::Type::LARGE_STRING:
      case arrow::Type::LARGE_BINARY:
        return text(static_cast<const arrow::LargeBinaryArray&>(array).GetView(i), *array.type());
      case arrow::Type::DICTIONARY: {
        const auto& words = static_cast<const arrow::DictionaryArray&>(array);
        return cell(*words.dictionary(), words.GetValueIndex(i), depth + 1);
      }
      case arrow::Type::LIST: {
        const auto& list = static_cast<const arrow::ListArray&>(array);
        return items(*list.values(), list.value_offset(i), list.value_offset(i + 1), depth);
      }
      case arrow::Type::LARGE_LIST: {
        const auto& list = static_cast<const arrow::LargeListArray&>(array);
        return items(*list.values(), list.value_offset(i), list.value_offset(i + 1), depth);
      }
      case arrow::Type::STRUCT:
        return fields(static_cast<const arrow::StructArray&>(array), i, depth);
      case arrow::Type::NA:
        return nullptr;
      default:
        return number(array, i);
    }
  }

 private:
  Json unsupported(const arrow::DataType& type) {
    count(2, kValueBytes);
    return {{"unsupported", type.name()}};
  }

  Json text(std::string_view value, const arrow::DataType& type) {
    if (vl3::text::find_invalid_utf8(value) != std::string_view::npos) {
      VL3_CHECK(arrow::is_binary(type.id()), kCorrupt, "{}: holds a text that is not UTF-8", name_);
      return unsupported(type);
    }
    count(value.size(), 1);
    return std::string(value);
  }

  Json items(const arrow::Array& values, int64_t first, int64_t last, int depth) {
    Json list = Json::array();
    for (int64_t i = first; i < last; ++i) list.push_back(cell(values, i, depth + 1));
    return list;
  }

  Json fields(const arrow::StructArray& array, int64_t i, int depth) {
    Json object = Json::object();
    for (int f = 0; f < array.num_fields(); ++f) {
      const std::string& key = array.struct_type()->field(f)->name();
      count(1 + key.size(), 1);
      object[key] = cell(*array.field(f), i, depth + 1);
    }
    return object;
  }

  Json number(const arrow::Array& array, int64_t i) {
    switch (array.type_id()) {
      case arrow::Type::INT8:
        return static_cast<const arrow::Int8Array&>(array).Value(i);
      case arrow::Type::INT16:
        return static_cast<const arrow::Int16Array&>(array).Value(i);
      case arrow::Type::INT32:
        return static_cast<const arrow::Int32Array&>(array).Value(i);
      case arrow::Type::INT64:
        return static_cast<const arrow::Int64Array&>(array).Value(i);
      case arrow::Type::UINT8:
        return static_cast<const arrow::UInt8Array&>(array).Value(i);
      case arrow::Type::UINT16:
        return static_cast<const arrow::UInt16Array&>(array).Value(i);
      case arrow::Type::UINT32:
        return static_cast<const arrow::UInt32Array&>(array).Value(i);
      case arrow::Type::UINT64:
        return static_cast<const arrow::UInt64Array&>(array).Value(i);
      case arrow::Type::FLOAT:
        return static_cast<const arrow::FloatArray&>(array).Value(i);
      case arrow::Type::DOUBLE:
        return static_cast<const arrow::DoubleArray&>(array).Value(i);
      default:
        return unsupported(*array.type());
    }
  }

  const std::string& name_;
  uint64_t max_bytes_, left_;
};

}  // namespace

struct ParquetFile::Reader {
  // Before the reader, whose buffers go back to it. The cap counts what the pool below it has given out, and
  // the default pool serves all files.
  arrow::ProxyMemoryPool own_pool{arrow::default_memory_pool()};
  arrow::CappedMemoryPool pool{&own_pool, kMaxBytes};
  std::unique_ptr<parquet::arrow::FileReader> file;
  std::mutex mutex;
  std::string name;
  int cached_group = -1;
  std::map<std::string, std::shared_ptr<arrow::ChunkedArray>> cached;  // columns of that row group

  const parquet::FileMetaData& metadata() const { return *file->parquet_reader()->metadata(); }

  /// Leaf columns; all pictures left out, or only those of one column taken.
  std::vector<int> leaves(const std::string* picture_column) const {
    std::vector<int> chosen;
    const parquet::SchemaDescriptor& schema = *metadata().schema();
    for (int i = 0; i < schema.num_columns(); ++i) {
      const bool picture = is_picture(*schema.Column(i));
      if (picture_column == nullptr ? !picture
                                    : picture && schema.GetColumnRoot(i)->name() == *picture_column)
        chosen.push_back(i);
    }
    return chosen;
  }

  std::shared_ptr<arrow::Table> read_group(int group, const std::vector<int>& columns) {
    return value_of(file->ReadRowGroup(group, columns), name);
  }

  /// The pictures of one column of a row group.
  std::shared_ptr<arrow::ChunkedArray> pictures(int group, const std::string& column) {
    if (group != cached_group) cached.clear();
    cached_group = group;
    if (const auto found = cached.find(column); found != cached.end()) return found->second;
    const std::vector<int> columns = leaves(&column);
    VL3_CHECK(columns.size() == 1, kNotFound, "{}: has no picture column \"{}\"", name, column);
    if (own_pool.bytes_allocated() > kMaxCachedBytes) cached.clear();
    const auto table = read_group(group, columns);
    check(table->ValidateFull(), name);
    return cached.emplace(column, table->column(0)).first->second;
  }
};

ParquetFile::ParquetFile(std::filesystem::path path)
    : path_(std::move(path)), reader_(std::make_unique<Reader>()) {
  reader_->name = path_.string();
  VL3_CHECK(std::filesystem::is_regular_file(path_), kNotFound, "{}: no such file", reader_->name);
  translated(reader_->name, [&] {
    const auto input = value_of(arrow::io::ReadableFile::Open(reader_->name, &reader_->pool), reader_->name);
    parquet::arrow::FileReaderBuilder builder;
    parquet::ReaderProperties properties(&reader_->pool);
    check(builder.Open(input, properties), reader_->name);
    builder.memory_pool(&reader_->pool);
    // Reading ahead happens on Arrow's own threads, which may let go of a buffer after its pool is gone.
    parquet::ArrowReaderProperties reading;
    reading.set_pre_buffer(false);
    builder.properties(reading);
    reader_->file = value_of(builder.Build(), reader_->name);
    reader_->file->set_use_threads(false);
  });
}

ParquetFile::~ParquetFile() = default;

std::vector<Json> ParquetFile::rows(uint64_t max_bytes) const {
  const std::lock_guard lock(reader_->mutex);
  const std::string& name = reader_->name;
  return translated(name, [&] {
    const std::vector<int> columns = reader_->leaves(nullptr);
    CellReader reader(name, max_bytes);
    std::vector<Json> rows;
    for (int group = 0; group < reader_->metadata().num_row_groups(); ++group) {
      const auto table = reader_->read_group(group, columns);
      check(table->Validate(), name);
      VL3_CHECK(table->num_columns() > 0, kCorrupt, "{}: {} rows of no column", name, table->num_rows());
      const size_t first = rows.size(), more = static_cast<size_t>(table->num_rows());
      reader.count(more, kValueBytes);
      rows.resize(first + more, Json::object());
      for (int c = 0; c < table->num_columns(); ++c) {
        const std::string& column = table->field(c)->name();
        size_t row = first;
        for (const auto& chunk : table->column(c)->chunks()) {
          check(chunk->ValidateFull(), name);
          reader.count(static_cast<size_t>(chunk->length()), 1 + column.size());
          for (int64_t i = 0; i < chunk->length(); ++i) rows[row++][column] = reader.cell(*chunk, i);
        }
      }
    }
    return rows;
  });
}

std::string ParquetFile::picture(int64_t row, const std::string& column) const {
  const std::lock_guard lock(reader_->mutex);
  const std::string& name = reader_->name;
  return translated(name, [&]() -> std::string {
    int group = 0;
    int64_t at = row;
    const int groups = reader_->metadata().num_row_groups();
    while (group < groups && at >= reader_->metadata().RowGroup(group)->num_rows())
      at -= reader_->metadata().RowGroup(group++)->num_rows();
    VL3_CHECK(at >= 0 && group < groups, kNotFound, "{}: has no row {}", name, row);
    const auto column_pictures = reader_->pictures(group, column);
    for (const auto& chunk : column_pictures->chunks()) {
      if (at >= chunk->length()) {
        at -= chunk->length();
        continue;
      }
      VL3_CHECK(chunk->type_id() == arrow::Type::STRUCT, kCorrupt, "{}: \"{}\" holds no pictures", name,
                column);
      const auto& pictures = static_cast<const arrow::StructArray&>(*chunk);
      const auto& bytes = *pictures.field(0);
      VL3_CHECK(!pictures.IsNull(at) && !bytes.IsNull(at), kNotFound, "{}: row {} has no picture in \"{}\"",
                name, row, column);
      if (bytes.type_id() == arrow::Type::LARGE_BINARY)
        return std::string(static_cast<const arrow::LargeBinaryArray&>(bytes).GetView(at));
      VL3_CHECK(bytes.type_id() == arrow::Type::BINARY || bytes.type_id() == arrow::Type::STRING, kCorrupt,
                "{}: \"{}\" holds no pictures", name, column);
      return std::string(static_cast<const arrow::BinaryArray&>(bytes).GetView(at));
    }
    VL3_FAIL(kCorrupt, "{}: row group {} ends early", name, group);
  });
}

}  // namespace vl3::eval
